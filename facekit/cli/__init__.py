"""The command line: one file a verb; workflows are imported inside the commands."""
