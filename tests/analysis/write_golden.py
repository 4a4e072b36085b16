"""Rewrite the golden tables: `python -m tests.analysis.write_golden`."""

import tempfile
from pathlib import Path

from analysis.building import paper_table
from analysis.feeding import feed
from analysis.formats import FORMATS
from analysis.items import TABLES
from tests.analysis.synthetic import write_results

GOLDEN = Path(__file__).with_name("golden")

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        source = feed(write_results(Path(root)))
        for item in TABLES:
            for ending in ("md", "tex"):
                text = FORMATS[ending](paper_table(source, item))
                (GOLDEN / f"{item.name}.{ending}").write_text(text, encoding="utf-8")
