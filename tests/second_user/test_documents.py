"""Archives, pages, tables and figures of a results folder into which another user has written."""

import os

import pytest

from analysis import figures, report, tables
from tests.command import noisebench
from tests.fuzz.inputs import tree
from tests.second_user.other_user import SECRET, as_other_user
from tests.store.results_folder import Folder, ended, started, trial, unsuccessful

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.getuid() != 0, reason="only root can act as a second user"),
]


PLANTED = {
    "spec": "sweeps/paper/spec.yaml",
    "manifest": "sweeps/paper/manifest.jsonl",
    "scores": f"scores/{trial().trial_id[:2]}/{trial().trial_id}.parquet",
    "journal": "journal/paper/link.jsonl",
}


@pytest.mark.parametrize("path", PLANTED.values(), ids=PLANTED.keys())
@pytest.mark.parametrize("plant", ["ln -s {secret} {path}", "mkfifo -m 666 {path}"], ids=["link", "pipe"])
def test_an_export_contains_no_private_file(shared: Folder, path: str, plant: str) -> None:
    shared.results.sweep("paper").spec.write_text("sweep: paper\n")
    scores = shared.results.scores(trial().trial_id)
    scores.parent.mkdir(parents=True)
    scores.parent.chmod(0o777)
    scores.write_bytes(b"scores")
    secret, archive = shared.root.parent / "secret", shared.root.parent / "paper.tar"
    command = plant.format(secret=secret, path=shared.root / path)
    planted = as_other_user(f"rm -f {shared.root / path} && {command}")
    assert planted.returncode == 0, planted.stderr
    done = noisebench("export", "paper", "--out", archive, results=shared.root, timeout=120)
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not archive.exists() or SECRET.encode() not in archive.read_bytes()


def plant_records(shared: Folder, script: str, command: str) -> None:
    """Let another user add trials whose names, errors and files are hostile to a shared results folder."""
    others = [trial(seed=seed) for seed in (1, 2)]
    blocks = {"../../up": others, script: others, command: others, "table5": others}
    prepared = Folder(shared.root.parent / "prepared")
    manifest = prepared.manifest(blocks)
    names = {"worker": script, "host": command, "device": script, "commit": command}
    journal = prepared.journal(
        *(started(each, f"{script}{each.seed}", **names) for each in others),
        ended(others[0], f"{script}1", scores="../../secret"),
        unsuccessful(others[1], f"{script}2", error=f"{script} {command}", traceback=script),
    )
    for each in (prepared.root, *prepared.root.rglob("*")):
        each.chmod(0o755 if each.is_dir() else 0o644)
    target, secret = shared.results, shared.root.parent / "secret"
    scores = target.scores(others[0].trial_id)
    sweep = target.sweep("paper")
    planted = as_other_user(
        f"cat {manifest} >> {sweep.manifest} && cp {journal} {sweep.journal}/x.jsonl"
        f" && mkdir -p {scores.parent} && ln -s {secret} {scores}"
    )
    assert planted.returncode == 0, planted.stderr


def test_pages_tables_and_figures_of_a_hostile_folder_do_no_harm(shared: Folder) -> None:
    """What another user writes shows as text: no script in the page, no command in LaTeX, no private file."""
    script, command = "<script>document.title='PWNED'</script>", "\\write18{touch pwned}"
    plant_records(shared, script, command)
    out = shared.root.parent / "out"
    before = tree(shared.root.parent)
    for main in (tables.main, figures.main, report.main):
        assert main(["--results", str(shared.root), "--out", str(out)]) == 0
    after = tree(shared.root.parent)
    allowed = (str(out), str(shared.results.database))
    assert {path for path in after.keys() - before.keys() if not path.startswith(allowed)} == set()
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) > 10
    assert {path.parent for path in written} == {out}
    texts = {path: path.read_text(errors="replace") for path in written}
    assert not [path for path, text in texts.items() if SECRET in text]
    pages = {path: text for path, text in texts.items() if path.suffix in (".html", ".md", ".svg")}
    assert not [path for path, text in pages.items() if script in text]
    assert any("&lt;script&gt;" in text for text in pages.values())
    latex = [text for path, text in texts.items() if path.suffix == ".tex"]
    assert any(r"\textbackslash{}write18" in text for text in latex)
    assert not any(command in text for text in latex)
