"""The version and the name that pip knows, where every room can read them."""

__version__ = "0.2.0.dev0"
#: ``facekit`` on the public index is somebody else's older package.
DISTRIBUTION = "facekit-transfer"
