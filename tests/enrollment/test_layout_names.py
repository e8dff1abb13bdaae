"""Names become folders, so none may leave its place or mean something else."""

from __future__ import annotations

import pytest

from facekit.enrollment.layout import check_name
from facekit.errors import UsageError


@pytest.mark.parametrize("name", ["me", "Anna B. Clark", "a", "0", "x_y-z.1", "a" * 64])
def test_plain_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../me",
        "a/b",
        "a\\b",
        "/etc",
        ".me",
        "-me",
        " me",
        "me ",
        "me.",
        "me\n",
        "me\0",
        "a" * 65,
        "Zoë",
        "~",
        "all",
        "None",
        "NUL",
        "com1.txt",
        "con .x",
    ],
)
def test_others_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(UsageError, match="name") as caught:
        check_name(name)
    assert "\n" not in str(caught.value)
