"""The only rooms that train with Keras."""
