"""The SQL texts that come with the package."""

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).parent / "sql"


def statement(name: str) -> str:
    """Return the SQL of `name`, a path below `store/sql` without its ending, such as `states/progress`."""
    return (_FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def description(name: str) -> str:
    """Return what `name` answers: the first line of its file, which is a comment."""
    return statement(name).partition("\n")[0].removeprefix("--").strip()


def names(folder: str) -> list[str]:
    """Return the names of the files in one folder of `store/sql`, sorted."""
    return sorted(path.stem for path in (_FOLDER / folder).glob("*.sql"))


def parameters(name: str) -> list[str]:
    """Return the named parameters of the SQL of `name`, sorted."""
    return sorted(set(re.findall(r"\$([a-z]\w*)", statement(name))))


def filled(name: str, values: Mapping[str, str | int]) -> str:
    """Return the SQL of `name` with values written in for its named parameters, those not given left."""

    def literal(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None:
            return match[0]
        return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"

    return re.sub(r"\$([a-z]\w*)", literal, statement(name))


def fingerprint(*statements: str) -> str:
    """Return 16 hex digits that change whenever one of the named SQL texts does."""
    return hashlib.sha256("\0".join(map(statement, statements)).encode()).hexdigest()[:16]
