"""What a results folder holds."""
