"""The records of the control topics as values, one module for each topic."""
