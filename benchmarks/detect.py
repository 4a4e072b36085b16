"""Detection on the probabilities of `benchmarks/gpu.py --probabilities FILE`: its time, its F1.

`python -m benchmarks.detect FILE`
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np

from noisebench.science import confident_learning
from noisebench.science.metrics import detection_metrics


def main() -> None:
    """Print precision, recall and F1, with the CPU seconds of the detection."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    arrays = np.load(parser.parse_args().file)
    began = time.process_time()
    flagged = confident_learning.find(arrays["given"], arrays["probabilities"]).flagged
    seconds = time.process_time() - began
    metrics = detection_metrics(flagged, arrays["given"] != arrays["true"])
    figures = ", ".join(f"{name} {metrics[name]:.4f}" for name in ("precision", "recall", "f1"))
    print(f"{figures}; detection took {seconds:.2f} s of CPU")


if __name__ == "__main__":
    main()
