"""What the product shows to people and programs: rows, tables and pages. Pure."""
