"""The types of the language: names, casts, coercion, equality, and expressions whose types are known."""
