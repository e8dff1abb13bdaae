"""Offline teachers: run once over the training images, never at prediction."""
