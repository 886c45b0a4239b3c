"""Copies that move whole record batches: a reader and a transaction that a task's session uses as it uses clients."""
