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
from facekit.datasets.table import Issues, Table
from facekit.errors import DataError
from facekit.labels import EMOTIONS, NOT_OURS, emotion_index

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
    known = {name: _label(folder, name) for name in sorted(set(listed.classes))}
    return Table(
        name="ckplus",
        ids=np.array(listed.ids, np.str_),
        images=listed.paths,
        labels=np.array([known[name] for name in listed.classes], np.int64),
        label_names=EMOTIONS,
        split=np.array(listed.splits, "<U5"),
        person=np.array([_person(path.name) for path in listed.paths], np.str_),
        aligned="ckplus",
        issues=Issues(unlisted=listed.others),
    )


def _label(folder: Path, name: str) -> int:
    if name.casefold() in NOT_OURS:
        return -1
    try:
        return emotion_index(name)
    except KeyError:
        raise DataError(
            f"{folder} has a class folder {name!r}; allowed are {', '.join(EMOTIONS)} "
            "and contempt: rename or move it"
        ) from None


def _person(name: str) -> str:
    found = _PERSON.match(name)
    return found[1].upper() if found else f"of {name}"
