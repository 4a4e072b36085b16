"""What the searcher tells Tune, and what it makes of Tune's answers."""

from pathlib import Path

from noisebench.engine.progress import Progress
from noisebench.engine.queue import TrialQueue
from noisebench.engine.searcher import DECLINED, QueueSearcher
from noisebench.records.folders import ResultsFolder
from tests.trials import sweep_of


def test_from_the_first_trial_to_the_last(tmp_path: Path) -> None:
    queue = TrialQueue(sweep_of(seeds="2").trials(), ResultsFolder(tmp_path), "test", Progress(2, 0, 0, 2))
    searcher = QueueSearcher(queue, lambda _: 0.5)
    first, second = searcher.suggest("a"), searcher.suggest("b")
    assert (first["part"], first["trial"]["seed"], second["trial"]["seed"]) == (0.5, 0, 1)
    assert searcher.suggest("c") is None
    searcher.on_trial_complete("a", {"status": DECLINED})
    again = searcher.suggest("c")
    assert again["trial"] == first["trial"]
    assert again["attempt"] != first["attempt"]
    searcher.on_trial_complete("b", {"status": "failed", "error_kind": "exception", "error": "broken"})
    searcher.on_trial_complete("c", {"status": "completed", "error_kind": None, "error": None})
    assert searcher.suggest("d") == searcher.FINISHED
    assert (queue.progress.completed, queue.progress.failed, queue.progress.running) == (1, 1, 0)
