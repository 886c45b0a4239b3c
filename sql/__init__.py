"""The language: text → AST → plan → function. Pure; imports only `schemas`."""
