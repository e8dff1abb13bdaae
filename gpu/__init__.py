"""How all models are made again on one GPU; see README.md. Not in the wheel."""
