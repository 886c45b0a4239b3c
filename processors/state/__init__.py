"""The state of a job's groups as Kafka keeps it: chunks, the manifest that names them, what is written when. Pure."""
