"""The types of SQL as values, and how values of each type are written as text."""
