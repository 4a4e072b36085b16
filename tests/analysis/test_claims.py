"""The papers' claims on synthetic results."""

import json

import pytest

from analysis.claims import Claim, Part, judged_claims, listing, main
from analysis.feeding import Feed, feed
from noisebench.records.folders import ResultsFolder
from noisebench.store.claims import claim_differences, claim_names
from tests.analysis.test_building import complete
from tests.store.results_folder import Folder, trial


def test_claims_hold_on_the_published_numbers(source: Feed) -> None:
    """Two of them are not to be told from three seeds with the printed deviations."""
    verdicts = {claim.name: claim.verdict for claim in judged_claims(source)}
    undecided = {"bl-above-pz", "pz-thirteen-points"}
    assert {name for name, verdict in verdicts.items() if verdict == "undecided"} == undecided
    assert {verdict for name, verdict in verdicts.items() if name not in undecided} == {"holds"}
    assert len(verdicts) == 10


def test_every_claim_names_the_sweep_it_needs(folder: Folder) -> None:
    folder.root.mkdir()
    claims = judged_claims(feed(folder.results))
    assert {claim.name for claim in claims} == set(claim_names())
    assert {claim.verdict for claim in claims} == {"no data"}
    text = listing(claims).markdown()
    assert text.count("no data: run sweeps/") == len(claims)
    assert "no data: run sweeps/paper-table1.yaml and sweeps/paper-table3.yaml" in text


def test_a_claim_that_does_not_hold_is_contradicted(folder: Folder) -> None:
    """BL is better with a delay here, by about .1 in each seed."""
    trials = [trial("BL", seed, gamma=0.4, delay=delay) for delay in (0, 2) for seed in range(5)]
    folder.manifest({"preliminary": trials}, seeds_asked=5)
    complete(
        folder,
        *(
            (each, {"f1": 0.5 + 0.05 * each.loss["delay"] + each.seed / 1e4 * each.loss["delay"]})
            for each in trials
        ),
    )
    claims = {claim.name: claim for claim in judged_claims(feed(folder.results))}
    claim = claims["bl-needs-no-delay"]
    assert claim.verdict == "contradicted"
    assert (claim.parts[0].pairs, round(claim.parts[0].mean, 3)) == (5, -0.1)
    assert claims["delay-helps-pz"].verdict == "no data"


def test_pairs_are_of_equal_seeds(folder: Folder) -> None:
    trials = [
        trial("BL", seed, gamma=0.4, delay=delay)
        for delay, seeds in ((0, (0, 1)), (2, (1, 2)))
        for seed in seeds
    ]
    folder.manifest({"preliminary": trials})
    complete(folder, *((each, {"f1": 0.5 + each.seed / 10}) for each in trials))
    assert claim_differences(folder.results, "bl-needs-no-delay", {"preliminary": "paper"}) == {
        "none above some": [0.0]
    }


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([(0.1, 0.01), (0.1, 0.01)], "holds"),
        ([(0.1, 0.01), (0.1, 0.2)], "undecided"),
        ([(0.1, 0.01), (-0.1, 0.01)], "contradicted"),
        ([], "no data"),
    ],
)
def test_a_claim_holds_where_all_its_parts_do(verdicts: list[tuple[float, float]], expected: str) -> None:
    parts = tuple(Part("part", 5, mean, mean, mean, p) for mean, p in verdicts)
    assert Claim("name", "text", parts, ()).verdict == expected


def test_the_command_prints_json(paper: ResultsFolder, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(paper.root), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert (first["name"], first["verdict"], first["parts"][0]["pairs"]) == (
        "aum-above-confident-learning",
        "holds",
        12,
    )
