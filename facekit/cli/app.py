"""The ``facekit`` command: its verbs, and how errors reach the user.

Exit codes: 0 done, 1 done but something in the answer is wrong (each verb says
what), 2 an argument, recipe, dataset, model or file that cannot be used, 130
stopped by the user.
"""

from __future__ import annotations

import atexit
import errno
import gc
import signal
import sys
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer

from facekit._version import __version__
from facekit.cli import (
    audit,
    compare,
    data,
    demo,
    doctor,
    enroll,
    evaluate,
    models,
    predict,
    pretrain,
    recipes,
    sweep,
    transfer,
)
from facekit.cli import enroll as enrolled
from facekit.errors import FacekitError
from facekit.system.terminal import open_streams, show_messages, tell

# Plain help and plain errors: rich would double the time that --help takes.
app = typer.Typer(
    name="facekit",
    help="Teach a computer about faces from your own data: "
    "one backbone, small heads, offline. FACEKIT_HOME names the folder for models and caches.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("predict")(predict.predict)
app.command("demo")(demo.demo)
app.command("enroll")(enroll.enroll)
app.command("enrolled")(enrolled.enrolled)
app.command("forget")(enrolled.forget)
app.command("pretrain")(pretrain.pretrain)
app.command("transfer")(transfer.transfer)
app.command("sweep")(sweep.sweep)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("audit")(audit.audit)
app.add_typer(recipes.app, name="recipes")
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.command("doctor")(doctor.doctor)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facekit {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and stop."
        ),
    ] = False,
) -> None:
    """Hold the options that every verb shares."""


def _stop(number: int, _: object) -> NoReturn:
    """Leave by the usual way: drafts and locks are cleared away."""
    sys.exit(128 + number)  # as shells have it


def main(command: Callable[[], object] | None = None) -> None:
    """Run a command line; what the user can mend becomes one line and exit code 2."""
    open_streams()
    show_messages()
    atexit.register(gc.freeze)  # else the last collections cost a fifth of a short command
    signal.signal(signal.SIGTERM, _stop)
    try:
        (command or app)()
    except FacekitError as error:
        line = str(error)
    except OSError as error:  # a full disk, a folder that may not be written
        reason = error.strerror or str(error) or type(error).__name__
        line = reason if error.filename is None else f"{error.filename}: {reason}"
        if error.errno == errno.ENOSPC:
            line += ": free some, or name another place"
    except KeyboardInterrupt:
        sys.exit(130)  # 128 + SIGINT, as shells have it
    else:
        return
    tell(f"facekit: {' '.join(line.splitlines())}")
    sys.exit(2)
