"""The one door to Kafka: clients, transactions, questions to brokers, and what their errors mean."""
