"""``facekit doctor``: versions, backends, detectors, write access."""

from __future__ import annotations

from dataclasses import asdict

import typer

from facekit.cli.arguments import Json


def doctor(as_json: Json = False) -> None:
    """Say what is installed, what is missing and what to do about it.

    Exit code: 0 when predict can run, 1 when something it needs is broken.
    """
    from facekit.cli.output import print_json, print_table
    from facekit.workflows.doctor import examine

    checks = examine()
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        rows = [(check.name, check.state, check.detail) for check in checks]
        print_table(("what", "state", "detail"), rows)
    if any(check.state == "broken" for check in checks):
        raise typer.Exit(1)
