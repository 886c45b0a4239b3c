"""Topics of users, looked into and made: what `jobplane topic` does."""
