"""The ten questions of analysis/README.md, asked."""

import re
from pathlib import Path

import pytest

from noisebench.store.query import query
from noisebench.trial.layout import ResultsFolder

README = Path(__file__).parents[2] / "analysis" / "README.md"
QUESTIONS = re.findall(r"^\d+\. ([^\n]+)\n```sql\n(.+?)```", README.read_text(encoding="utf-8"), re.M | re.S)


def test_there_are_ten() -> None:
    assert len(QUESTIONS) == 10


@pytest.mark.parametrize("sql", [sql for _, sql in QUESTIONS], ids=[question for question, _ in QUESTIONS])
def test_a_question_has_an_answer(paper: ResultsFolder, sql: str) -> None:
    assert query(paper, sql).rows()


def test_answers_are_right_where_they_are_known(paper: ResultsFolder) -> None:
    answers = [query(paper, sql).rows() for _, sql in QUESTIONS]
    assert answers[1][0] == ("CIFAR-10", 0.1, 0.5, pytest.approx(0.787))
    assert {hashes for *_, hashes in answers[3]} == {1}
    assert [row[:3] for row in answers[6]] == [
        (sweep, "completed", None) for sweep in ("paper", "preliminary")
    ]
    assert sum(row[3] for row in answers[6]) == len(query(paper, "FROM runs").rows())
    assert [epoch for epoch, *_ in answers[8]] == list(range(30))
