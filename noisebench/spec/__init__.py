"""What to run: parsing, identity, recipes, cost."""
