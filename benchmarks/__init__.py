"""What measures our speed, each row beside its peer in the same run."""
