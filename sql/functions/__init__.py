"""The functions of the language: one typed Python function each. Importing this package registers all of them."""
