"""The data plane: task hosts, and the tasks that move records from topic to topic, exactly once."""
