"""Sources of labelled faces, each read into a Table."""
