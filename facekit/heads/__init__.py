"""Heads: small functions from an embedding to scores."""
