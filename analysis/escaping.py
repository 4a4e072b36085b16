"""Texts of results made safe for LaTeX, Markdown and file names; HTML is escaped by the templates."""

import hashlib
import html
import re
from urllib.parse import quote

_LONGEST_NAME = 150  # characters; file systems allow 255 bytes with the ending
_TEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "_": r"\_",
    "%": r"\%",
    "&": r"\&",
    "#": r"\#",
    "$": r"\$",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "–": "--",
    "≈": r"$\approx$",
}


def tex(text: str) -> str:
    """Return text that LaTeX prints as it is; a character that pdflatex lacks becomes "?"."""
    return "".join(map(_tex_character, text))


def tex_label(text: str) -> str:
    r"""Return text for `\label` and `\ref`: ASCII letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text)


def markdown_text(text: str) -> str:
    """Return text for a cell of a Markdown table: no HTML, no cell or line end."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", r"\|")


def file_name(text: str) -> str:
    """Return a file name without its ending: equal texts give equal names, different texts different ones."""
    name = quote(text, safe=" ,=+", errors="surrogatepass")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > _LONGEST_NAME:
        name = (
            f"{name[:_LONGEST_NAME]}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:16]}"
        )
    return name


def _tex_character(character: str) -> str:
    if character in _TEX:
        return _TEX[character]
    if character.isspace():
        return " "
    printable = character.isprintable() and (character.isascii() or character.isalpha())
    return character if printable and ord(character) < 0x180 else "?"
