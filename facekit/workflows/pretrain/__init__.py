"""The shared backbone, from images to a bundle."""
