"""The data sets that facekit reads: a reader and one entry each.

Choices, help texts, messages and recipes follow from the entries; a reader's module is
imported when it is used, so that the table itself costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from facekit.errors import UsageError, nearest

if TYPE_CHECKING:
    from facekit.datasets.table import Table

Kind = Literal["attributes", "classes"]
Reader = Callable[..., "Table"]


@dataclass(frozen=True)
class Source:
    """One data set.

    Attributes:
        name: What recipes and the command line call it.
        reader: A function of the folder, and of the options in ``takes``, to a Table;
            or "module:function" in `facekit.datasets` that names one.
        layout: What its folder holds, for people.
        kind: "attributes" (yes or no each) or "classes" (exclude each other).
        takes: Options of ``open_classes`` or ``open_attributes`` that the reader has.
        own: Whether the classes are anybody's own, and not emotions.
        lenient: Whether pictures that cannot be used are always left out.
        teaches: Whether all of it may teach though it comes as a test.
        missing: The line for who names no folder; "" for one made from ``layout``,
            None where no folder is needed.
        licences: Notes for the cards of what was trained on it, by data set.
    """

    name: str
    reader: str | Reader
    layout: str
    kind: Kind = "classes"
    takes: tuple[str, ...] = ()
    own: bool = False
    lenient: bool = False
    teaches: bool = False
    missing: str | None = ""
    licences: Mapping[str, str] = field(default_factory=dict)

    def read(self, data: Path | None, options: Mapping[str, Any]) -> Table:
        """Read a folder with those of the options that the reader has.

        Raises:
            UsageError: A folder is needed and none is given.
            DataError: The folder cannot be used.
        """
        if data is None and self.missing is not None:
            raise UsageError(self.missing or f"--data is missing: name what holds {self.layout}")
        reader = self.reader
        if isinstance(reader, str):
            module, _, function = reader.partition(":")
            reader = getattr(import_module(f"facekit.datasets.{module}"), function)
        return reader(data, **{name: options[name] for name in self.takes if name in options})


_RESEARCH = "weights trained on data released for non-commercial research"
_CELEBA = {"CelebA": f"images for non-commercial research only; {_RESEARCH}"}

#: Every data set, by name; ``add_source`` adds another.
SOURCES: dict[str, Source] = {
    one.name: one
    for one in (
        Source(
            "celeba",
            "celeba:read_celeba",
            "list_attr_celeba.txt and img_align_celeba/",
            "attributes",
            ("splits", "allow_missing"),
            missing="--data is missing: name the CelebA folder (with list_attr_celeba.txt and "
            "img_align_celeba), or take --source tfds; `facekit demo` needs no data",
            licences=_CELEBA,
        ),
        Source(
            "tfds",
            "tfds:read_tfds",
            "TensorFlow Datasets' celeb_a",
            "attributes",
            ("splits",),
            missing=None,
        ),
        Source(
            "fer",
            "fer:read_fer",
            "train/<emotion>/*.png or test/<emotion>/*.png, or fer2013.csv",
            takes=("labels", "votes", "splits"),
            licences={
                "FER-2013": "images found by a web search, no licence stated: for research; "
                + _RESEARCH
            },
        ),
        Source(
            "ckplus",
            "ckplus:read_ckplus",
            "<emotion>/S010_004_00000017.png",
            teaches=True,
            licences={"CK+": "non-commercial research under a signed agreement"},
        ),
        Source(
            "folder",
            "folder:read_folder",
            "<class>/*.jpg, or train/<class>/*.jpg and test/<class>/*.jpg",
            takes=("people", "aligned"),
            own=True,
            lenient=True,
        ),
        Source(
            "tfrecord",
            "tfrecord:read_tfrecord",
            "*.tfrecord",
            takes=("classes", "image_key", "label_key", "first_label", "aligned"),
            own=True,
        ),
    )
}


def add_source(source: Source) -> None:
    """Let recipes and commands name another data set.

    Args:
        source: Its entry.

    Raises:
        UsageError: The name is taken.
    """
    if source.name in SOURCES:
        raise UsageError(f"a data set is called {source.name!r} already: take another name")
    SOURCES[source.name] = source


def names(kind: Kind) -> tuple[str, ...]:
    """The data sets of a kind."""
    return tuple(name for name, one in SOURCES.items() if one.kind == kind)


def find_source(name: str, kind: Kind) -> Source:
    """The entry of a name.

    Raises:
        UsageError: There is none of that kind; with the nearest name.
    """
    known = names(kind)
    if name not in known:
        raise UsageError(f"data set {name!r} is not known{nearest(name, known)}")
    return SOURCES[name]
