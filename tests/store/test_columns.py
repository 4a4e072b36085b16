"""Names of columns: one implementation for the terminal and the papers' tables."""

from dataclasses import replace
from typing import Any

from analysis.building import block_as_table
from analysis.feeding import feed
from analysis.items import TableItem
from noisebench.catalogue.component import Component
from noisebench.catalogue.datasets import dataset
from noisebench.cli.table import print_tables
from noisebench.store.blocks import sweep_tables
from noisebench.store.columns import column_names, setting_labels
from noisebench.store.store import open_store
from noisebench.sweep.trial import Trial
from tests.store.results_folder import Folder, trial


def names(folder: Folder, *trials: Trial, **question: Any) -> list[str]:
    """Return the names of a table's columns, each once."""
    folder.manifest({"grid": trials}, seeds_asked=1)
    with open_store(folder.results) as store:
        return list(dict.fromkeys(column_names(sweep_tables(store, "paper", "f1"), **question)))


def test_a_loss_alone_is_named_by_its_name(folder: Folder) -> None:
    assert names(folder, trial(), trial("PZ", c=0.02), trial("PZ", c=0.04)) == ["CE", "PZ"]


def test_a_form_that_the_name_does_not_imply_is_named_even_alone(folder: Folder) -> None:
    assert names(folder, trial("BL", gamma=0.4, form="printed")) == ["BL, form printed"]


def test_a_parameter_that_differs_only_between_rows_makes_no_column(folder: Folder) -> None:
    trials = []
    for name in ("MNIST", "CIFAR-100"):
        usual = dataset(name).recipe.losses
        loss = trial("ANL-CE", **{key: usual[key] for key in ("alpha", "beta", "delta")})
        trials.append(replace(loss, dataset=Component.of(name, samples=None)))
    assert trials[0].loss != trials[1].loss
    assert names(folder, *trials) == ["ANL-CE"]


def test_delays_in_one_row_are_columns_unless_they_are_chosen(folder: Folder) -> None:
    delays = [trial("PZ", c=0.02, delay=delay) for delay in (0, 1)]
    assert names(folder, *delays) == ["PZ, delay 0", "PZ, delay 1"]
    assert names(folder, *delays, over="delays") == ["PZ"]


def test_the_terminal_names_columns_as_the_papers_tables(folder: Folder, capsys: Any) -> None:
    trials = [trial(), *(trial("BL", gamma=0.4, form="printed", delay=delay) for delay in (0, 1))]
    expected = names(folder, *trials)
    assert block_as_table(feed(folder.results), TableItem("t", "", "T", "grid", "")).columns == expected
    with open_store(folder.results) as store:
        print_tables(sweep_tables(store, "paper", "f1"))
    header = capsys.readouterr().out.splitlines()[2]
    assert [name.strip() for name in header.strip("┃").split("┃")] == ["noise", *expected]


def test_the_kinds_of_traces_tell_settings_apart(folder: Folder) -> None:
    kinds = (Component.of("ctrl"), Component.of("ctrl", traces="after-epoch"))
    folder.manifest({"grid": [replace(trial(), detector=detector) for detector in kinds]}, seeds_asked=1)
    with open_store(folder.results) as store:
        labels = setting_labels(sweep_tables(store, "paper", "f1"))
    assert sorted(labels.values()) == ["traces after-epoch", "traces in-passing"]
