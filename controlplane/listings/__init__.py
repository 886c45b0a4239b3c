"""What people and programs are shown: rows, tables and pages. Pure."""
