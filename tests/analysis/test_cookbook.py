"""The ten questions of analysis/README.md have answers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from noisebench.records.folders import ResultsFolder
from noisebench.store.query import query

README = Path(__file__).parents[2] / "analysis" / "README.md"
QUESTIONS = re.findall(r"^\d+\. ([^\n]+)\n```sql\n(.+?)```", README.read_text(encoding="utf-8"), re.M | re.S)


def test_the_readme_asks_ten_questions() -> None:
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("sql", [sql for _, sql in QUESTIONS], ids=[question for question, _ in QUESTIONS])
def test_a_question_has_an_answer(paper: ResultsFolder, sql: str) -> None:
    assert query(paper, sql).rows()


@pytest.mark.slow
def test_the_file_opens_in_plain_duckdb_and_pandas(paper: ResultsFolder) -> None:
    query(paper, "SELECT 1")
    (code,) = re.findall(r'^python -c "(.+)"$', README.read_text(encoding="utf-8"), re.M)
    command = [sys.executable, "-c", code.replace("results/results.duckdb", str(paper.database))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert {"eta", "wasserstein", "count"} <= set(done.stdout.split())


@pytest.mark.slow
def test_answers_are_right_where_they_are_known(paper: ResultsFolder) -> None:
    answers = [query(paper, sql).rows() for _, sql in QUESTIONS]
    assert answers[1][0] == ("CIFAR-10", 0.1, 0.5, pytest.approx(0.787))
    assert {hashes for *_, hashes in answers[3]} == {1}
    assert [row[:3] for row in answers[6]] == [
        (sweep, "completed", None) for sweep in ("paper", "preliminary", "bl-forms")
    ]
    assert sum(row[3] for row in answers[6]) == len(query(paper, "FROM runs").rows())
    assert [epoch for epoch, *_ in answers[8]] == list(range(30))
