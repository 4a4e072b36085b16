"""The measured numbers in the documents agree with the archives."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.comparison import compared
from analysis.feeding import Feed
from analysis.reproduction import BEGIN, END, main, sentence
from noisebench.errors import InputError
from noisebench.store.archive import export_sweep
from noisebench.sweep.sweep import load_sweep
from noisebench.sweep.trial import Trial
from tests.analysis.synthetic import ROOT
from tests.analysis.test_building import complete
from tests.store.results_folder import Folder

GENERATED = ("docs/reproduction.md", "README.md", "analysis/measured.csv")


def test_the_documents_agree_with_the_archives() -> None:
    """Where this fails a document or an archive was changed alone: run `python -m analysis.reproduction`."""
    assert main(["--check"]) == 0


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the two documents and no archives yet."""
    root = tmp_path / "checkout"
    (root / "analysis" / "measured").mkdir(parents=True)
    for name in ("README.md", "docs/reproduction.md", "sweeps/mnist-rows.yaml"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, root / name)
    return root


def add_archive(folder: Folder, checkout: Path, f1: dict[int, float], sweep: str = "mnist-rows") -> None:
    """Put an archive of MNIST, .1, CE under `precision: fast` into the checkout, with one F1 a seed."""
    trials: list[Trial] = [
        replace(trial, training=replace(trial.training, precision="fast"))
        for trial in load_sweep(ROOT / "sweeps" / "mnist-rows.yaml").blocks[0].trials
        if (trial.dataset.name, trial.corruption["rate"], trial.loss.name) == ("MNIST", 0.1, "CE")
        and trial.seed in f1
    ]
    folder.manifest({"table1": trials}, seeds_asked=len(trials), sweep=sweep)
    shutil.copyfile(ROOT / "sweeps" / "mnist-rows.yaml", folder.results.sweep(sweep).spec)
    complete(
        folder, *((trial, {"f1": f1[trial.seed]}) for trial in trials), sweep=sweep, device="cuda:0 H200"
    )
    out = checkout / "analysis" / "measured" / f"{sweep}.tar"
    export_sweep(folder.results.sweep(sweep), out, with_scores=False)


@pytest.mark.slow
def test_an_archive_becomes_rows_a_sentence_and_one_line_a_seed(folder: Folder, checkout: Path) -> None:
    add_archive(folder, checkout, {0: 0.968, 1: 0.969, 2: 0.97})
    arguments = ["--root", str(checkout)]
    assert main([*arguments, "--check"]) == 1
    assert main(arguments) == 0
    assert main([*arguments, "--check"]) == 0
    document = (checkout / "docs" / "reproduction.md").read_text(encoding="utf-8")
    assert (
        "| table1 | MNIST | 0.1 | CE | f1 | 0.969 ± 0.002 (20) | 0.9690 ± 0.0010 (3) | +0.0000 | 0.0050 "
        "| reproduced | equivalent |  | fast |  | mnist-rows |\n"
    ) in document
    command = "`noisebench run sweeps/mnist-rows.yaml --data DIR`"
    assert f"| mnist-rows | table1 | 3 | 0, 1, 2 | abc | H200 | {command} |\n" in document
    readme = (checkout / "README.md").read_text(encoding="utf-8")
    sentence = (
        "1 of 298 published numbers compared with ours: 1 reproduced. Measured: MNIST at rate 0.1; "
        "seeds: 3 (the papers: 20); precision: fast. Reproduced: the means differ by at most two pooled "
        "standard deviations and .001; for 0 of 1 this would also accept another loss's published number."
    )
    assert f"{BEGIN} {sentence} {END}" in " ".join(readme.split())
    with (checkout / "analysis" / "measured.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["seed"], row["f1"], row["arithmetic"], row["hardware"]) for row in rows] == [
        ("0", "0.968", "fast", "H200"),
        ("1", "0.969", "fast", "H200"),
        ("2", "0.97", "fast", "H200"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATED)
def test_a_number_changed_by_hand_is_found(
    folder: Folder, checkout: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    add_archive(folder, checkout, {0: 0.968, 1: 0.969})
    assert main(["--root", str(checkout)]) == 0
    path = checkout / name
    path.write_text(
        path.read_text(encoding="utf-8").replace("reproduced", "proven").replace("0.969", "0.999")
    )
    capsys.readouterr()
    assert main(["--root", str(checkout), "--check"]) == 1
    expected = f"{name} differs from analysis/measured: run python -m analysis.reproduction\n"
    assert capsys.readouterr().err == expected


def test_one_seed_is_no_verdict_on_a_published_number(folder: Folder, checkout: Path) -> None:
    add_archive(folder, checkout, {0: 0.968}, sweep="one-seed")
    assert main(["--root", str(checkout)]) == 0
    document = (checkout / "docs" / "reproduction.md").read_text(encoding="utf-8")
    assert "1 of 298 published numbers compared with ours: 1 with too few seeds for a verdict." in document
    assert "| too few seeds |  |  | fast |  | one-seed |" in document
    assert "`tar -xf analysis/measured/one-seed.tar sweep/one-seed/spec.yaml; noisebench run" in document


def test_the_sentence_says_what_could_not_have_failed(source: Feed) -> None:
    verdicts = [("reproduced", ["GCE"]), ("reproduced", []), ("lower", ["CE"]), ("missing", [])]
    rows = [
        replace(row, verdict=verdict, also_accepts=accepted)
        for row, (verdict, accepted) in zip(compared(source)[:4], verdicts, strict=True)
    ]
    text = sentence(rows)
    assert text.startswith("3 of 4 published numbers compared with ours: 2 reproduced, 1 lower. Measured: ")
    assert "for 1 of 2 this would also accept another loss's published number." in text
    assert "recipe" not in text


def test_numbers_that_chose_the_recipe_are_named(source: Feed) -> None:
    """A number by which the recipe was chosen is weaker evidence than one that it was not fitted to."""
    row = next(
        row
        for row in compared(source)
        if (row.source, row.dataset, row.eta, row.loss) == ("table1", "MNIST", 0.2, "CE")
    )
    chosen = replace(row, verdict="reproduced", recipe="")
    assert sentence([chosen]).endswith("The training recipe was chosen by 1 of them, on one seed.")
    assert "recipe" not in sentence([replace(chosen, recipe="learning_rate 0.001")])


def test_a_document_without_markers_is_refused(checkout: Path) -> None:
    (checkout / "README.md").write_text("# no markers\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"README.md: needs <!-- measured: begin --> and, after it"):
        main(["--root", str(checkout)])
