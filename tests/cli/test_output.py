"""Tables as a terminal, a pipe and a log see them."""

from __future__ import annotations

import pytest

from facekit.cli.output import print_pairs, print_table

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


@pytest.mark.parametrize("name", ["a\x1b[31m\nb", "[/x]", "[bold]b", "{task}", "\u202ename"])
def test_a_name_is_shown_and_never_obeyed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_table((name, "n"), [(name, 1.0)])
    print_pairs({"a": name})
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in name)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [shown, shown, "a"]
    assert lines[2] == f"a  {shown}"
