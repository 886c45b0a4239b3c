"""The control topics: read, followed, verified."""
