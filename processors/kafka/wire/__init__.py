"""Raw Kafka requests over aiokafka's connections, in one thread a process: many transactional ids, whole batches."""
