"""The program of each job: `python -m noisebench.slurm.start FOLDER` makes the call that was submitted.

submitit unpickles the call, so the folder is checked first and then read through an open descriptor.
"""

import os
import sys
from pathlib import Path

from submitit.core.submission import process_job

from noisebench.errors import EnvironmentFault
from noisebench.slurm.ownership import opened_own_folder


def main(folder: Path) -> int:
    """Make the call whose arguments lie in `folder`; return the exit code."""
    try:
        descriptor = opened_own_folder(folder)
    except EnvironmentFault as error:
        print(f"noisebench: {error}", file=sys.stderr)
        return error.exit_code
    try:
        process_job(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
