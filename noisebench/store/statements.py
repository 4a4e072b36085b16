"""SQL texts that come with a package."""

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_NAME = re.compile(r"^-- name: (\S+)\n", re.M)


class Statements:
    """The SQL texts in a folder, each named by its path without ending, such as `merge/attempts`.

    A file that holds several texts starts each with a line `-- name: NAME`; the first comment after it says
    what it answers.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._text = cache(self._read)

    def text(self, name: str) -> str:
        """Return the SQL of `name`; raise KeyError where there is none."""
        return self._text(name)

    def description(self, name: str) -> str:
        """Return what `name` answers: the first line of its text, which is a comment."""
        return self.text(name).partition("\n")[0].removeprefix("--").strip()

    def names(self, group: str) -> list[str]:
        """Return the names of the texts in one sub-folder or one file, sorted."""
        if (self._folder / group).is_dir():
            return sorted(path.stem for path in (self._folder / group).glob("*.sql"))
        return sorted(_NAME.findall(self._file(group)))

    def parameters(self, name: str) -> list[str]:
        """Return the named parameters of the SQL of `name`, sorted."""
        return sorted(set(re.findall(r"\$([a-z]\w*)", self.text(name))))

    def filled(self, name: str, values: Mapping[str, str | int]) -> str:
        """Return the SQL of `name` with values written in for its named parameters, those not given left."""

        def literal(match: re.Match[str]) -> str:
            value = values.get(match[1])
            if value is None:
                return match[0]
            return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"

        return re.sub(r"\$([a-z]\w*)", literal, self.text(name))

    def fingerprint(self, *names: str) -> str:
        """Return 16 hex digits that change whenever one of the named texts does."""
        return hashlib.sha256("\0".join(map(self.text, names)).encode()).hexdigest()[:16]

    def _file(self, name: str) -> str:
        return (self._folder / f"{name}.sql").read_text(encoding="utf-8")

    def _read(self, name: str) -> str:
        if (self._folder / f"{name}.sql").is_file():
            return self._file(name)
        group, _, wanted = name.rpartition("/")
        _, *parts = _NAME.split(self._file(group))
        return dict(zip(parts[::2], parts[1::2], strict=True))[wanted].strip() + "\n"


SQL = Statements(Path(__file__).parent / "sql")
