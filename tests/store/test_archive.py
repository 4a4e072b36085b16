"""A sweep copied from one results folder to another."""

import gzip
import io
import json
import os
import resource
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from noisebench.errors import EnvironmentFault, InputError
from noisebench.records.folders import ResultsFolder
from noisebench.store.archive import Transfer, export_sweep, import_archive
from noisebench.store.query import query
from noisebench.sweep.trial import Trial
from tests.store.results_folder import Folder, ended, started, trial

NAMES = ("spec.yaml", "manifest.jsonl", "records.jsonl")
RUNS = "SELECT trial_id, seed, f1, attempt_id FROM runs ORDER BY seed"


def site(root: Path, done: list[int], trials: list[Trial] | None = None) -> Folder:
    """Return a results folder of a sweep of three seeds, of which some are done, scores included."""
    folder = Folder(root)
    trials = trials or [trial(seed=seed) for seed in range(3)]
    folder.manifest({"grid": trials}, seeds_asked=len(trials))
    folder.results.sweep("paper").spec.write_text("sweep: paper\n")
    for seed in done:
        name = f"{root.name}-{seed}"
        folder.journal(started(trials[seed], name), ended(trials[seed], name, f1=seed / 10), file=root.name)
        path = folder.results.scores(trials[seed].trial_id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"scores")
    return folder


@contextmanager
def address_space_up_to(size: int) -> Iterator[None]:
    """Let this process reserve no more than `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of a folder but the database, which is a cache."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".duckdb")
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}


@pytest.mark.slow
def test_another_site_continues_from_an_archive(tmp_path: Path) -> None:
    there, here = site(tmp_path / "there", [0, 2]), ResultsFolder(tmp_path / "here")
    assert export_sweep(there.results.sweep("paper"), tmp_path / "paper.tar") == Transfer("paper", 4, 2)
    assert import_archive(here, tmp_path / "paper.tar") == Transfer("paper", 4, 2)
    assert query(here, RUNS).rows() == query(there.results, RUNS).rows()
    assert here.sweep("paper").manifest.read_bytes() == there.results.sweep("paper").manifest.read_bytes()
    assert here.sweep("paper").spec.read_text() == "sweep: paper\n"
    assert here.scores(trial(seed=2).trial_id).read_bytes() == b"scores"
    assert query(here, "SELECT state FROM trial_states WHERE state = 'pending'").rows() == [("pending",)]


def test_a_second_import_changes_nothing(tmp_path: Path) -> None:
    there, here = site(tmp_path / "there", [0]), ResultsFolder(tmp_path / "here")
    export_sweep(there.results.sweep("paper"), tmp_path / "paper.tar")
    import_archive(here, tmp_path / "paper.tar")
    before = contents(here.root)
    assert import_archive(here, tmp_path / "paper.tar") == Transfer("paper", 0, 0)
    assert contents(here.root) == before
    assert import_archive(there.results, tmp_path / "paper.tar") == Transfer("paper", 0, 0)


@pytest.mark.slow
def test_two_sites_merge_in_any_order(tmp_path: Path) -> None:
    """Both completed seed 1: the trial counts once, in either order."""
    first, second = site(tmp_path / "first", [0, 1]), site(tmp_path / "second", [1, 2])
    archives = [tmp_path / "first.tar", tmp_path / "second.tar"]
    for each, archive in zip((first, second), archives, strict=True):
        export_sweep(each.results.sweep("paper"), archive)
    merged = []
    for order in (archives, archives[::-1]):
        here = ResultsFolder(tmp_path / f"from-{order[0].stem}")
        for archive in order:
            import_archive(here, archive)
        merged.append(query(here, RUNS).rows())
        assert query(here, "SELECT count(*) FROM attempts").rows() == [(4,)]
    assert merged[0] == merged[1]
    assert [seed for _, seed, _, _ in merged[0]] == [0, 1, 2]


def test_a_sweep_of_other_trials_keeps_its_manifest(tmp_path: Path) -> None:
    there = site(tmp_path / "there", [0])
    here = site(tmp_path / "here", [], [trial(seed=seed) for seed in range(5)])
    before = here.results.sweep("paper").manifest.read_bytes()
    export_sweep(there.results.sweep("paper"), tmp_path / "paper.tar")
    assert import_archive(here.results, tmp_path / "paper.tar") == Transfer("paper", 2, 1, sweep_kept=True)
    assert here.results.sweep("paper").manifest.read_bytes() == before
    assert len(query(here.results, RUNS).rows()) == 1


def test_an_archive_has_the_records_that_another_sweep_left(tmp_path: Path) -> None:
    folder = site(tmp_path / "there", [])
    folder.journal(started(trial(), "a", sweep="other"), ended(trial(), "a", sweep="other"), sweep="other")
    folder.journal(started(trial(seed=9), "b"), b"torn", sweep="other")
    export_sweep(folder.results.sweep("paper"), tmp_path / "paper.tar")
    import_archive(ResultsFolder(tmp_path / "here"), tmp_path / "paper.tar")
    assert len(query(ResultsFolder(tmp_path / "here"), RUNS).rows()) == 1


def test_equal_contents_are_equal_bytes(tmp_path: Path) -> None:
    folder = site(tmp_path / "there", [0, 1])
    for name in ("one.tar", "two.tar"):
        export_sweep(folder.results.sweep("paper"), tmp_path / name)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "sweep/../x/spec.yaml", "sweep/a/other.txt"])
def test_a_foreign_name_is_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with tarfile.open(tmp_path / "foreign.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(InputError, match=r"foreign\.tar: holds .* which no `noisebench export` writes"):
        import_archive(ResultsFolder(tmp_path / "here"), tmp_path / "foreign.tar")
    assert not (tmp_path / "here").exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("no archive")
    for name in ("text.tar", "absent.tar"):
        with pytest.raises(InputError, match="is no readable archive of `noisebench export`"):
            import_archive(ResultsFolder(tmp_path / "here"), tmp_path / name)
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    with pytest.raises(InputError, match="must hold spec, manifest and records of one sweep"):
        import_archive(ResultsFolder(tmp_path / "here"), tmp_path / "empty.tar")


@pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar writes the sparse archive")
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_a_sparse_file_is_not_unpacked(tmp_path: Path, form: str) -> None:
    """Ten kilobytes that say they are a terabyte."""
    there = site(tmp_path / "there", [0])
    export_sweep(there.results.sweep("paper"), tmp_path / "paper.tar")
    with tarfile.open(tmp_path / "paper.tar") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    with (tmp_path / "unpacked" / "sweep" / "paper" / "records.jsonl").open("wb") as file:
        file.truncate(2**40)
    command = [
        "tar",
        "--sparse",
        f"--format={form}",
        "-cf",
        tmp_path / "sparse.tar",
        "-C",
        tmp_path / "unpacked",
    ]
    subprocess.run([*command, *(f"sweep/paper/{name}" for name in NAMES)], check=True)
    assert (tmp_path / "sparse.tar").stat().st_size < 20_000
    with pytest.raises(
        InputError, match=r"'sweep/paper/records\.jsonl' is sparse, which no `noisebench export`"
    ):
        import_archive(ResultsFolder(tmp_path / "here"), tmp_path / "sparse.tar")
    assert not (tmp_path / "here").exists()


def test_a_compressed_archive_is_not_unpacked(tmp_path: Path) -> None:
    """A megabyte of gzip can hold a gigabyte."""
    there = site(tmp_path / "there", [0])
    export_sweep(there.results.sweep("paper"), tmp_path / "paper.tar")
    (tmp_path / "paper.tar.gz").write_bytes(gzip.compress((tmp_path / "paper.tar").read_bytes()))
    with pytest.raises(InputError, match=r"is no readable archive of .*, a tar file without compression"):
        import_archive(ResultsFolder(tmp_path / "here"), tmp_path / "paper.tar.gz")


# tarfile reads names of any length, and headers of headers, at once.
@pytest.mark.parametrize("size", [2**33, 2**62, 2**64, 2**87])
@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_a_header_that_says_any_size_is_refused(tmp_path: Path, kind: bytes, size: int) -> None:
    header = tarfile.TarInfo("sweep/paper/spec.yaml")
    header.type, header.size = kind, size
    (tmp_path / "large.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(2048))
    with (
        address_space_up_to(4 * 2**30),
        pytest.raises(InputError, match="is no readable archive of `noisebench export`"),
    ):
        import_archive(ResultsFolder(tmp_path / "here"), tmp_path / "large.tar")


def test_a_chain_of_headers_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 12
    one = header.tobuf(tarfile.USTAR_FORMAT) + b"12 path=abc\n".ljust(512, b"\0")
    (tmp_path / "chain.tar").write_bytes(one * 3000)
    with pytest.raises(InputError, match="is no readable archive of `noisebench export`"):
        import_archive(ResultsFolder(tmp_path / "here"), tmp_path / "chain.tar")


def test_an_unknown_sweep_and_an_unwritable_file(tmp_path: Path) -> None:
    folder = site(tmp_path / "there", [])
    with pytest.raises(InputError, match="no sweep 'other' here to export"):
        export_sweep(folder.results.sweep("other"), tmp_path / "paper.tar")
    with pytest.raises(EnvironmentFault, match="No such file or directory"):
        export_sweep(folder.results.sweep("paper"), tmp_path / "absent" / "paper.tar")


@pytest.mark.slow
def test_an_archive_without_scores_has_every_record(tmp_path: Path) -> None:
    there, here = site(tmp_path / "there", [0, 2]), ResultsFolder(tmp_path / "here")
    out = tmp_path / "paper.tar"
    assert export_sweep(there.results.sweep("paper"), out, with_scores=False) == Transfer("paper", 4, 0)
    with tarfile.open(out) as archive:
        assert not [name for name in archive.getnames() if name.startswith("scores/")]
    assert import_archive(here, out) == Transfer("paper", 4, 0)
    assert query(here, RUNS).rows() == query(there.results, RUNS).rows()


def test_an_archive_has_the_scores_of_every_attempt(tmp_path: Path) -> None:
    there, here = site(tmp_path / "there", [0]), ResultsFolder(tmp_path / "here")
    path = there.results.scores(trial(seed=0).trial_id)
    repeated = path.with_name(f"{path.stem}-{'0' * 16}.parquet")
    repeated.write_bytes(b"other scores")
    export_sweep(there.results.sweep("paper"), tmp_path / "paper.tar")
    assert import_archive(here, tmp_path / "paper.tar").scores == 2
    assert (here.root / repeated.relative_to(there.root)).read_bytes() == b"other scores"
    assert here.scores(trial(seed=0).trial_id).read_bytes() == path.read_bytes()


def archive_of(path: Path, **texts: bytes) -> Path:
    """Write an archive of sweep `hostile` with these texts by part, and one file of scores."""
    parts = {"spec": b"sweep: hostile\n", "manifest": b"", "records": b"", **texts}
    members = {f"sweep/hostile/{name}": parts[name.split(".")[0]] for name in NAMES}
    members["scores/0123456789abcdef.parquet"] = b"scores"
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def line_of_manifest(trial_id: object, **changes: object) -> bytes:
    line = {"block": "grid", "seeds_asked": 1, "trial_id": trial_id, "config": {}, **changes}
    return json.dumps(line).encode() + b"\n"


HOSTILE_MANIFESTS = {
    "path": line_of_manifest("../private/embeddings"),
    "root": line_of_manifest("/a"),
    "pattern": line_of_manifest("**"),
    "number": line_of_manifest(5),
    "NUL": line_of_manifest("ab\0c"),
    "block": line_of_manifest("0123456789abcdef", block=["grid"]),
    "no JSON": b"x\n",
    "list": b"[1]\n",
    "deep": b"[" * 100_000 + b"\n",
}


@pytest.mark.parametrize("manifest", HOSTILE_MANIFESTS.values(), ids=HOSTILE_MANIFESTS.keys())
def test_a_hostile_manifest_is_refused_before_anything_is_written(tmp_path: Path, manifest: bytes) -> None:
    file = archive_of(tmp_path / "hostile.tar", manifest=manifest)
    with pytest.raises(InputError, match=r"hostile\.tar: manifest\.jsonl: line 1 names no trial"):
        import_archive(ResultsFolder(tmp_path / "here"), file)
    assert not (tmp_path / "here").exists()


def test_a_spec_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = archive_of(tmp_path / "hostile.tar", spec=b"\xff")
    with pytest.raises(InputError, match=r"hostile\.tar: spec\.yaml is not UTF-8 text"):
        import_archive(ResultsFolder(tmp_path / "here"), file)
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("manifest", HOSTILE_MANIFESTS.values(), ids=HOSTILE_MANIFESTS.keys())
def test_a_damaged_manifest_is_not_exported(tmp_path: Path, manifest: bytes) -> None:
    folder = site(tmp_path / "there", [0])
    path = folder.results.sweep("paper").manifest
    path.write_bytes(manifest + path.read_bytes())
    with pytest.raises(
        InputError, match=r"manifest\.jsonl: line 1 names no trial .*`noisebench resume paper`"
    ):
        export_sweep(folder.results.sweep("paper"), tmp_path / "paper.tar")


@pytest.mark.parametrize(
    "linked", ["scores", "scores/01", "journal", "journal/hostile", "sweeps", "sweeps/hostile"]
)
def test_an_import_writes_nothing_through_a_linked_folder(tmp_path: Path, linked: str) -> None:
    here, outside = ResultsFolder(tmp_path / "here"), tmp_path / "outside"
    outside.mkdir()
    (here.root / linked).parent.mkdir(parents=True)
    (here.root / linked).symlink_to(outside)
    file = archive_of(tmp_path / "hostile.tar", records=b"{}\n")
    with pytest.raises(EnvironmentFault, match=f"can't be taken into .* Not a directory: '.*/here/{linked}'"):
        import_archive(here, file)
    assert list(outside.rglob("*")) == []


def test_an_export_reads_no_journal_through_a_linked_folder(tmp_path: Path) -> None:
    folder, private = site(tmp_path / "there", [0]), site(tmp_path / "private", [1])
    (folder.results.journal / "x").symlink_to(private.results.journal / "paper")
    exported = export_sweep(folder.results.sweep("paper"), tmp_path / "paper.tar")
    assert (exported.records, exported.skipped) == (
        2,
        ("journal/x/private.jsonl: cannot be read: Not a directory",),
    )
    assert b"private-1" not in (tmp_path / "paper.tar").read_bytes()


def test_other_sweeps_journals_that_cannot_be_read_stop_neither_export_nor_import(tmp_path: Path) -> None:
    folder = site(tmp_path / "there", [0])
    other = folder.journal(b"[" * 100_000 + b"\n", sweep="other")
    other.with_name("link.jsonl").symlink_to("/etc/hostname")
    os.mkfifo(other.with_name("pipe.jsonl"))
    exported = export_sweep(folder.results.sweep("paper"), tmp_path / "paper.tar")
    assert (exported.records, [each.split(":")[0] for each in exported.skipped]) == (
        2,
        ["journal/other/link.jsonl", "journal/other/pipe.jsonl"],
    )
    taken = import_archive(folder.results, tmp_path / "paper.tar")
    assert (taken.records, taken.skipped) == (0, exported.skipped)
