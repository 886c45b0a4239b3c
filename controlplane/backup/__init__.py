"""Backups of the control topics: written to a file, restored from one."""
