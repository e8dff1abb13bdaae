"""The progress bar: on a terminal only, with rate, never in the way."""

from __future__ import annotations

import io

import pytest
import rich.console

from facekit.system.terminal import progress_bar


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal on standard error would show."""
    shown, make = io.StringIO(), rich.console.Console
    monkeypatch.setattr(
        rich.console,
        "Console",
        lambda **_: make(file=shown, force_terminal=True, width=100, legacy_windows=False),
    )
    return shown


def test_a_terminal_sees_count_and_rate(terminal: io.StringIO) -> None:
    with progress_bar("crops", 40, done=10) as move:
        for i in range(11, 41):
            move(i, 40)
    text = terminal.getvalue()
    assert "crops" in text
    assert "40/40" in text
    assert "/s" in text


def test_a_bar_without_progress_has_no_rate(terminal: io.StringIO) -> None:
    with progress_bar("crops", 5):
        pass
    assert "0/5" in terminal.getvalue()
    assert "/s" not in terminal.getvalue()


def test_a_file_sees_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with progress_bar("crops", 3) as move:
        move(3, 3)
    assert capfd.readouterr() == ("", "")


def test_no_bar_when_it_is_not_asked_for(terminal: io.StringIO) -> None:
    with progress_bar("crops", 3, show=False) as move:
        move(3, 3)
    assert terminal.getvalue() == ""
