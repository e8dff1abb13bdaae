"""Workflows: read top to bottom like the flow; the only files that see every stage."""
