"""SQL job control on Apache Kafka. What is installed lives under this one name; its folders are links."""
