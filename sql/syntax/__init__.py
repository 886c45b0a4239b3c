"""Text to statements and back: grammar, parser, syntax trees, and what is said of a text that is not a statement."""
