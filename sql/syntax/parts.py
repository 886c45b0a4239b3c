"""The names of the whole key and the whole value, which every statement may use."""

KEY, THIS = "__key", "this"
