"""Statements and expressions as text again: the canonical form, and lines for people."""
