"""Tests that need a GPU: `pytest -m gpu`; elsewhere they are skipped."""
