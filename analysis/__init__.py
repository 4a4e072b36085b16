"""What people came for: the papers' tables, figures and comparisons, rendered from the database."""
