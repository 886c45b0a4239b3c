"""From an expression as it is written to what it means: names, calls, operators and types are resolved."""
