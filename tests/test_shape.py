"""Functions stay short, with few parameters."""

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from noisebench.cli.app import app

ROOT = Path(__file__).parents[1]
MAX_LINES = 40
MAX_PARAMETERS = 6
_STATEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
# The functions registered as commands: a parameter is an option there, with its help text.
COMMANDS = {
    (Path(inspect.getsourcefile(command.callback) or ""), command.callback.__name__)
    for group in (app, *(group.typer_instance for group in app.registered_groups))
    for command in group.registered_commands
    if command.callback is not None
}


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a file."""
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        # No expression holds a function, and most nodes are expressions.
        nodes += (child for child in ast.iter_child_nodes(node) if isinstance(child, _STATEMENTS))


def excess(function: ast.FunctionDef | ast.AsyncFunctionDef, *, is_command: bool) -> str | None:
    """Return what is too long about a function; of a command, which has many options, only the body."""
    first = function.body[0].lineno if is_command else function.lineno
    lines = (function.end_lineno or first) - first + 1
    arguments = function.args
    names = [each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    parameters = [name for name in names if name not in ("self", "cls")]
    if lines > MAX_LINES:
        return f"{function.name} has {lines} lines"
    if len(parameters) > MAX_PARAMETERS and not is_command:
        return f"{function.name} has {len(parameters)} parameters"
    return None


@pytest.mark.parametrize("package", ["noisebench", "analysis", "benchmarks", "tests"])
def test_functions_are_short(package: str) -> None:
    problems = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for function in functions(path):
            problem = excess(function, is_command=(path, function.name) in COMMANDS)
            if problem:
                problems.append(f"{path.relative_to(ROOT)}:{function.lineno} {problem}")
    assert problems == []


def test_long_functions_are_noticed() -> None:
    (long,) = ast.parse("def long(self, a, b, c, d, e, f, *, g):\n" + "    pass\n" * 3).body
    assert isinstance(long, ast.FunctionDef)
    assert excess(long, is_command=False) == "long has 7 parameters"
    assert excess(long, is_command=True) is None
    (tall,) = ast.parse("def tall():\n" + "    pass\n" * 41).body
    assert isinstance(tall, ast.FunctionDef)
    assert excess(tall, is_command=True) == "tall has 41 lines"
