"""The one door to the schema registry."""
