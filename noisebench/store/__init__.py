"""The database that is rebuilt from the journal."""
