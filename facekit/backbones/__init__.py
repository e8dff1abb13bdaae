"""Backbone families; see ``catalog`` for their names."""
