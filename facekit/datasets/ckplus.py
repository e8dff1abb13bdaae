"""CK+, the Extended Cohn-Kanade faces, as a folder for each emotion.

::

    anger/S010_004_00000017.png …   (person S010, sequence 004, frame 17)
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import numpy as np

from facekit.datasets.folder import list_classes
from facekit.datasets.table import Table
from facekit.errors import DataError
from facekit.labels import EMOTIONS, NOT_OURS

_PERSON: Final = re.compile(r"(S\d+)_", re.IGNORECASE)


def read_ckplus(folder: Path | str) -> Table:
    """Read CK+ with FER's emotions, to test what was trained elsewhere.

    Args:
        folder: Holds a folder for each emotion, in CK+'s or FER's spelling.

    Returns:
        Table named "ckplus", all rows of split "test", with int64 labels of shape
        (n,) in the order of ``EMOTIONS`` and -1 for contempt. A picture whose file
        name does not start with a person such as ``S010_`` is a person of its own.

    Raises:
        DataError: A class folder is unknown, or there is no picture.
    """
    folder = Path(folder).expanduser()
    listed = list_classes(folder, [(folder, "test")])
    if not listed.ids:
        raise DataError(f"{folder} is no CK+: wanted is <emotion>/S010_004_00000017.png")
    person = np.array([_person(path.name) for path in listed.paths], np.str_)
    labels = listed.emotions(folder, NOT_OURS)
    return listed.table("ckplus", labels, EMOTIONS, person=person, aligned="ckplus")


def _person(name: str) -> str:
    found = _PERSON.match(name)
    return found[1].upper() if found else f"of {name}"
