"""The execution of one trial."""
