"""What SHOW, DESCRIBE and dry runs answer, read from the topics."""
