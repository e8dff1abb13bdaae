"""Provenance tells the command, and nothing of the user's folders."""

from __future__ import annotations

import sys

import pytest

from facekit.workflows.run_folder import command_line


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["transfer", "fer", "--data", "/home/me/fer2013"], "transfer fer --data fer2013"),
        (["transfer", "fer", "--data=/home/me/fer2013"], "transfer fer --data=fer2013"),
        (["--set", "model=/home/me/tiny"], "--set model=tiny"),
        (["--set", "model=here/tiny", "runs/mine"], "--set model=here/tiny runs/mine"),
        (["--set", "head.strengths=[0.1, 1]"], "--set head.strengths=[0.1, 1]"),
        (
            ["--set", "distill.teachers=['/home/me/a', \"/b c/wide\", 'runs/d', 'e']"],
            "--set distill.teachers=['a', \"wide\", 'runs/d', 'e']",
        ),
        (["--out", "/home/me/sweep/seed=1"], "--out seed=1"),
        ([], ""),
    ],
)
def test_of_absolute_paths_the_last_name_is_told(
    monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/me/bin/facekit", *words])
    assert command_line() == f"facekit {told}".rstrip()
