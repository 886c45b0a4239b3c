"""From a plan to Python: one generated function for each query."""
