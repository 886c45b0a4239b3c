"""The records of the control topics, and the values in them, as Python values."""
