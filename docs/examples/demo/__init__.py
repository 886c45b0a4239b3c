"""`make demo`: jobs on a real Kafka that are suspended, killed and replaced, and the proof that nothing went wrong."""
