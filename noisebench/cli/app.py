"""The command line: one function for each command; exit codes as documented."""

from __future__ import annotations

import sys

import typer

from noisebench.cli import (
    archive,
    calibrate,
    clean,
    detect,
    doctor,
    inspect,
    judge,
    plan,
    prepare,
    query,
    review,
    run,
    slurm,
    status,
    verify,
)
from noisebench.cli.terminal import printable
from noisebench.errors import EnvironmentFault, NoisebenchError

app = typer.Typer(
    help="Label-error detection experiments: from a YAML sweep to a table of mean ± std.",
    epilog="Exit codes: 0 success; 1 failed trials, or a check found damage; 2 bad input; 3 bad environment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

app.command("plan")(plan.plan)
app.command("calibrate")(calibrate.calibrate)
app.command("prepare")(prepare.prepare)
app.command("detect")(detect.detect)
app.command("run")(run.run)
app.command("resume")(run.resume)
app.command("submit")(slurm.submit)
app.command("cancel")(slurm.cancel)
app.command("clean")(clean.clean)
app.command("scale")(slurm.scale)
app.add_typer(slurm.site_commands, name="site")
app.command("review")(review.review)
app.command("labels")(review.labels)
app.command("status")(status.status)
app.command("failures")(inspect.failures)
app.command("logs")(inspect.logs)
app.command("show")(inspect.show)
app.command("query")(query.query)
app.command("schema")(query.schema)
app.command("ingest")(query.ingest)
app.command("verify")(verify.verify)
app.command("export")(archive.export)
app.command("doctor")(doctor.doctor)
app.command("judge")(judge.judge)
app.command("import")(archive.import_)


@app.callback(invoke_without_command=True)
def _version(version: bool = typer.Option(False, "--version", help="Print the version.")) -> None:
    if version:
        from noisebench import __version__

        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; a user's mistake or a broken environment is a message without traceback."""
    try:
        app()
    except NoisebenchError as error:
        message = printable(str(error))
        print(message if "\n" in message else f"noisebench: {message}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has ended, as in `| head`.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        # A full disk, a missing permission: nothing that a traceback would explain.
        where = f"{error.filename}: " if error.filename is not None else ""
        print(printable(f"noisebench: {where}{error.strerror or error}"), file=sys.stderr)
        sys.exit(EnvironmentFault.exit_code)
