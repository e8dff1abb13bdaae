"""What a run leaves to read: JSON records, HTML pages, model cards, pictures."""
