"""Tables as a terminal, a pipe and a log see them."""

from __future__ import annotations

import pytest

from facekit.cli.output import print_table, printable

NAME = "a-run-with-a-name-that-is-longer-than-forty-characters"


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    print_table(("run", "accuracy"), [(NAME, 0.654321), ("short", "none")], "Runs")
    return capsys.readouterr().out.splitlines()


def test_a_pipe_gets_every_row_on_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    title, head, first, second = printed(capsys)
    assert title == "Runs"
    assert first.split() == [NAME, "0.6543"]
    assert second.split() == ["short", "none"]
    assert head.index("accuracy") == first.index("0.6543") == second.index("none")


def test_a_narrow_terminal_folds_and_loses_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    lines = printed(capsys)
    assert max(map(len, lines)) <= 40
    assert NAME in "".join(line.split("  ")[0] for line in lines)


def test_control_characters_are_escaped() -> None:
    assert printable("a\x1b[31m\nb") == "a\\x1b[31m\\nb"
