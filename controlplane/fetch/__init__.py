"""Fetches what verdicts need from outside: topics, schemas, consumer groups."""
