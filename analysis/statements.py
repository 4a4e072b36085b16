"""The SQL of the papers: claims, the comparison with the published numbers."""

from pathlib import Path

from noisebench.store.statements import Statements

SQL = Statements(Path(__file__).parent / "sql")
