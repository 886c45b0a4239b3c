"""Dormant tasks: how tasks without input start without clients of their own, rest, and are watched together."""
