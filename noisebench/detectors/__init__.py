"""Routes from training to flags, one for each kind of evidence."""
