"""Bundles: what is shipped and loaded, and where each part came from."""
