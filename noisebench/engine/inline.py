"""Trials one after another in this process: for debugging, and where there is no Ray."""

from pathlib import Path

from noisebench.engine.queue import TrialQueue
from noisebench.records import provenance
from noisebench.records.folders import ResultsFolder
from noisebench.records.journal import JournalWriter
from noisebench.records.logs import Log
from noisebench.trial.device import visible_device
from noisebench.trial.runner import Runner


def run_inline(
    queue: TrialQueue, results: ResultsFolder, sweep: str, worker: str, data_dir: Path | None, *, gpu: bool
) -> None:
    """Run every waiting trial here; the results equal those of a run on Ray.

    Nobody watches over memory and time: there is no process of its own that a trial could give up.
    """
    with JournalWriter(results.sweep(sweep).journal, provenance.host()) as journal:
        log = Log(results.sweep(sweep), echo=True)
        runner = Runner(results, sweep, worker, data_dir, visible_device(gpu=gpu), journal, log=log)
        while queue.waiting:
            attempt_id, trial = queue.take()
            try:
                end = runner.attempt(trial, attempt_id)
            except KeyboardInterrupt:
                return  # the attempt's own record says so; the queue closes it
            queue.settle(attempt_id, end)
