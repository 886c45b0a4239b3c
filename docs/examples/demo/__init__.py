"""`make demo`: suspends, kills and replaces jobs on a real Kafka, and proves that no record was lost or doubled."""
