"""The labels that a run suspects: tables, a page for a reviewer, corrected labels, estimates."""
