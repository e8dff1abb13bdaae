"""What is computed once and kept on disk: crops, features, teacher vectors."""
