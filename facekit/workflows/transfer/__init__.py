"""Classes on a backbone, from a frozen head to a whole network."""
