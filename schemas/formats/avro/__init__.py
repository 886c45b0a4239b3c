"""The format `avro`: schemas, their types, and records by fastavro."""
