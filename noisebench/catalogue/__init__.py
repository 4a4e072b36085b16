"""What a sweep may name."""
