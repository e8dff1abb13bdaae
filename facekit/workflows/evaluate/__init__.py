"""A bundle measured on a data set."""
