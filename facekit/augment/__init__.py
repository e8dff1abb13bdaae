"""Augmentation of training batches and of personal photos."""
