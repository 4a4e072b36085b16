"""No process outlives the node of Ray that it belonged to."""

import subprocess
import sys
from pathlib import Path

# A child that lets go of its own child, which then belongs to nobody but the adopter.
SCRIPT = """
import subprocess, sys, time
from pathlib import Path
from noisebench.slurm.ray_node import _adopt_orphans, _end_the_rest

_adopt_orphans()
orphan = "import os, time; print(os.getpid(), flush=True); os.setsid(); time.sleep(600)"
child = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {orphan!r}]).pid"
subprocess.run([sys.executable, "-c", child], check=True)
time.sleep(1)
_end_the_rest()
"""


def test_orphans_are_ended() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert not Path(f"/proc/{done.stdout.strip()}").exists()
    assert done.stdout.strip().isdecimal()
