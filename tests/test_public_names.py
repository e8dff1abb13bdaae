"""``import facekit``: its public names, and nothing heavy."""

from __future__ import annotations

import pytest

import facekit


@pytest.mark.parametrize("name", list(facekit.__all__))
def test_every_public_name_loads(name: str) -> None:
    assert getattr(facekit, name) is not None
    assert name in dir(facekit)


def test_all_is_sorted_and_complete() -> None:
    assert len(set(facekit.__all__)) == len(facekit.__all__)
    assert set(facekit.__all__) == {*facekit._HOMES, "__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lod'"):
        facekit.lod  # noqa: B018


def test_the_errors_are_one_tree() -> None:
    for name in facekit.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(facekit, name), facekit.FacekitError)
