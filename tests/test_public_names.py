"""``import facekit``: its public names, and nothing heavy."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import facekit


@pytest.mark.parametrize("name", list(facekit.__all__))
def test_every_public_name_loads(name: str) -> None:
    assert getattr(facekit, name) is not None
    assert name in dir(facekit)


def test_the_public_names_are_all_that_is_shown() -> None:
    assert dir(facekit) == sorted(set(facekit.__all__))


def test_type_checkers_see_the_same_names_in_the_same_places() -> None:
    tree = ast.parse(Path(facekit.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {a.name: node.module for node in block.body for a in node.names}
    assert told == facekit._NAMES


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        facekit.lod  # noqa: B018


def test_the_errors_are_one_tree() -> None:
    for name in facekit.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(facekit, name), facekit.FacekitError)
