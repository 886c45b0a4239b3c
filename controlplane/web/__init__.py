"""The pages of a worker's web server."""
