"""Features: crops through a frozen backbone, once."""
