"""SelectGroups of rows, with or without windows: what they are grouped by, what is written of them, and when."""
