"""Tests of what measures our speed."""
