"""Recipes: declarative TOML files with a closed vocabulary."""
