"""What a verification finds in a results folder: damaged files and lines, and what they mean for the user."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What is damaged."""

    FILE = "file"
    LINE = "line"
    TRIAL_ID = "trial-id"
    ATTEMPT = "attempt"
    RESULT = "result"
    SCORES = "scores"
    MANIFEST = "manifest"
    JOURNAL_LOST = "journal-lost"
    RECORDS_LOST = "records-lost"
    OWN_DATA = "own-data"
    DATABASE = "database"


CONSEQUENCES = {
    Kind.FILE: "its records cannot be read, so the trials that only it records are pending again",
    Kind.LINE: "this record is not used; a trial whose only result it was is pending again",
    Kind.TRIAL_ID: "this record is not used: its numbers belong to another trial than it says",
    Kind.ATTEMPT: "it is unknown which trial this result belongs to; run the trial again",
    Kind.RESULT: "one of the two results is wrong; `noisebench verify SWEEP --rerun` shows which",
    Kind.SCORES: "figures and analyses of single samples are wrong or lack this trial; its metrics stay",
    Kind.MANIFEST: "`status` and the tables count other trials than the sweep has; run its YAML again",
    Kind.JOURNAL_LOST: "records that the database has are no longer in the journal, and a rebuild loses "
    "them; restore the file from a backup before the next `noisebench ingest`",
    Kind.RECORDS_LOST: "its records are in no table any more, and its trials are pending again; restore "
    "the file from a backup, or remove lost-journals.json if it was removed on purpose",
    Kind.OWN_DATA: "trials on these data are refused; remove the folder, and run `noisebench detect` again",
    Kind.DATABASE: "tables and queries differ from the records; `noisebench ingest --rebuild` repairs it",
}


@dataclass(frozen=True)
class Damage:
    """One damage: a file in the results folder, its line counted from 1, what is wrong there."""

    kind: Kind
    file: str
    line: int | None
    problem: str

    @property
    def location(self) -> str:
        """The file with its line."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    @property
    def consequence(self) -> str:
        """What the damage means for the user."""
        return CONSEQUENCES[self.kind]


@dataclass
class Verification:
    """What was checked, what is damaged, and what is unusual without being damage (`notes`).

    `unchecked` lines carry no checksum: older versions wrote none, so a change in them is not noticed.
    """

    files: int = 0
    lines: int = 0
    unchecked: int = 0
    manifests: int = 0
    scores: int = 0
    damages: list[Damage] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether no damage was found."""
        return not self.damages

    def add(self, kind: Kind, location: Location, problem: str) -> None:
        """Add a damage."""
        self.damages.append(Damage(kind, location.file, location.line, problem))


@dataclass(frozen=True)
class Location:
    """A line of a file in the results folder, counted from 1; None for the whole file."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"
