"""Write the golden results of the current science version: `python -m tests.trial.write_golden`."""

import json

from noisebench.trial.measurement import measure
from tests.trial.test_measurement import CPU, GOLDEN, GOLDEN_TRIALS


def main() -> None:
    """Measure the golden trials and write them, except if this version has some already."""
    if GOLDEN.exists():
        raise SystemExit(f"{GOLDEN.name} exists: raise SCIENCE_VERSION in noisebench/sweep/identity.py first")
    golden = {}
    for name, trial in GOLDEN_TRIALS.items():
        measured = measure(trial, None, CPU)
        golden[name] = {
            "trial_id": trial.trial_id,
            "noise_hash": measured.result["noise_hash"],
            "losses": [row["loss"] for row in measured.epochs],
            "f1": measured.result["f1"],
        }
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
