"""What `jobplane topic` does: creates topics of users, reads their records and writes records."""
