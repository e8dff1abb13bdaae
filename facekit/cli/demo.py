"""``facekit demo``: the whole way on drawn faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facekit.system.terminal import tell


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where everything goes; must be new or empty.")
    ] = Path("facekit-demo"),
) -> None:
    """Draw faces, train on them, predict, leave a report.

    A cartoon CelebA and a tiny backbone: no data, no network, under three
    minutes on two cores. Needs the extra `train`.
    """
    from facekit.cli.output import print_pairs
    from facekit.workflows.demo import demo as run

    result = run(out, say=tell)
    print_pairs(
        {
            "report": result.report,
            "bundle": result.bundle,
            "pictures": result.pictures,
            "seconds": result.seconds,
            **result.metrics,
        }
    )
