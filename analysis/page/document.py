"""A whole HTML page that needs nothing beside itself."""

import html
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
# Nothing on the page may come from elsewhere, whatever a result or an error message says.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


def document(title: str, subtitle: str, sections: Mapping[str, str], evidence: Mapping[str, Any]) -> str:
    """Return the page; `sections` are HTML by their headings, `evidence` is the data behind its cells."""
    anchors = {heading: heading.lower().replace(" ", "-") for heading in sections}
    links = "".join(f'<a href="#{anchors[heading]}">{html.escape(heading)}</a>' for heading in sections)
    body = "\n".join(
        f'<section id="{anchors[heading]}"><h2>{html.escape(heading)}</h2>\n{text}\n</section>'
        for heading, text in sections.items()
    )
    # "</" would end the script element inside a text.
    data = json.dumps(evidence, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{html.escape(title)}</title>
<style>
{_asset("style.css")}</style>
</head>
<body>
<header><h1>{html.escape(title)}</h1><p>{html.escape(subtitle)}</p></header>
<nav aria-label="Sections">{links}</nav>
<main>
{body}
</main>
<dialog id="cell" aria-labelledby="cell-title"></dialog>
<script type="application/json" id="evidence">{data}</script>
<script>
{_asset("sort.js")}
{_asset("cell.js")}</script>
</body>
</html>
"""


def _asset(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
