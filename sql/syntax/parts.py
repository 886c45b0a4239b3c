"""The names of the entire key and the entire value, which every statement may use."""

KEY, THIS = "__key", "this"
