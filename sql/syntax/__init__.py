"""Text to statements and back: grammar, parser, syntax trees, and the errors for a text that is not a statement."""
