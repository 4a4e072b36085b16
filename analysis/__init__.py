"""The papers' tables, figures, claims and comparisons, rendered from the database."""
