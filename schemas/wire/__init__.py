"""Records as bytes and back: Avro single-object encoding, and commands as producers send them."""
