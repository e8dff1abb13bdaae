"""Every error that facekit raises on purpose.

    FacekitError                 one clear line; the command line exits with 2
    |-- UsageError               an argument or option that cannot be used
    |-- RecipeError              a recipe that does not fit its schema
    |-- DataError                a dataset or input that cannot be used
    |   `-- ImageError           one picture that cannot be decoded
    |       `-- UnreadError      one picture whose file cannot be read this time
    |-- BundleError              a model bundle that is missing, altered or foreign
    |-- MissingExtraError        an optional dependency that is not installed
    `-- InterruptedRunError      a run folder that cannot be started or resumed

A message says what was received, what is allowed and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable

from facekit._version import DISTRIBUTION


class FacekitError(Exception):
    """Base of all errors whose message is written for the user."""


class UsageError(FacekitError):
    """An argument or option that cannot be used."""


class RecipeError(FacekitError):
    """A recipe that does not fit its schema."""


class DataError(FacekitError):
    """A dataset or input that cannot be used."""


class ImageError(DataError):
    """One picture that cannot be decoded; a batch records it and goes on."""


class UnreadError(ImageError):
    """A file that cannot be read this time; what it holds is not known."""


class BundleError(FacekitError):
    """A model bundle that is missing, altered or made for something else."""


class MissingExtraError(FacekitError):
    """An optional dependency is not installed.

    Args:
        package: The module that could not be imported.
        extra: The facekit extra that carries it.
        instead: What the user may do without it.
    """

    def __init__(self, package: str, extra: str, instead: str = "") -> None:
        hint = f"; {instead}" if instead else ""
        super().__init__(
            f"{package} is not installed: run `pip install '{DISTRIBUTION}[{extra}]'`{hint}"
        )


class InterruptedRunError(FacekitError):
    """A run folder that cannot be started or resumed."""


def nearest(given: object, allowed: Iterable[str]) -> str:
    """End of an error message that helps with a name.

    Args:
        given: What the user wrote.
        allowed: The names that exist.

    Returns:
        ``"; did you mean X? Allowed: ..."`` with the part about X left out when
        nothing is close.
    """
    import difflib

    names = list(allowed)
    lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(str(given).lower(), lower, n=1)
    hint = f"; did you mean {lower[close[0]]}?" if close else ";"
    return f"{hint} Allowed: {', '.join(names) or 'none'}"
