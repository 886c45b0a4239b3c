"""The types of the language: names, coercion, and expressions whose types are known."""
