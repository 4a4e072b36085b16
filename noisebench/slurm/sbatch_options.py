"""The options of sbatch that a site passes through."""

from __future__ import annotations

import re

from noisebench.sweep.nodes import REPORTED, Node, Problems
from noisebench.sweep.schema import Field, is_mapping, show

OptionValue = str | int | float | bool

# Options that have a field of their own in the profile.
_FIELDS = {
    "account": "account",
    "partition": "partition",
    "qos": "qos",
    "constraint": "constraint",
    "exclude": "exclude",
    "reservation": "reservation",
    "gres": "gpu_request",
    "gpus": "gpu_request",
    "gpus-per-node": "gpu_request",
    "gpus-per-task": "gpu_request",
    "cpus-per-task": "cpus",
    "mem": "memory_gb",
    "time": "minutes",
    "requeue": "requeue",
    "no-requeue": "requeue",
    "signal": "signal_seconds",
    "mail-user": "mail",
    "mail-type": "mail",
}
# Options by which noisebench finds its jobs and their output again.
_OWN = (
    "array",
    "dependency",
    "error",
    "job-name",
    "kill-on-invalid-dep",
    "nodes",
    "ntasks",
    "open-mode",
    "output",
    "wrap",
)
_RIGHT = "a mapping from options of sbatch to their values, such as {exclusive: true}"


def _read(node: Node, problems: Problems) -> dict[str, OptionValue]:
    if not is_mapping(node, _RIGHT, problems):
        return {}
    for name, value in node.value.items():
        wrong = _wrong_name(name) or _wrong_value(value)
        if wrong:
            problems.add(value, wrong)
    return {name: value.value for name, value in node.value.items()}


def _wrong_name(name: str) -> str | None:
    if name in _FIELDS:
        return f"has a field of its own; write `{_FIELDS[name]}:` instead"
    if name in _OWN:
        return "is set by noisebench; leave it out"
    if not re.fullmatch(r"[a-z][a-z0-9-]+", name):
        return "is no long option of sbatch; write it in full without its dashes, such as exclusive"
    return None


def _wrong_value(node: Node) -> str | None:
    value = node.value
    if value is REPORTED or value is True or (isinstance(value, str | int | float) and value is not False):
        return None
    return f"is {show(node.plain())}, but must be text, a number, or true for an option without a value"


SBATCH_OPTIONS = Field(_RIGHT, _read, {})
