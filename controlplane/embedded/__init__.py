"""A real single-node Kafka on this machine, started from its jars: what `jobplane dev` runs."""
