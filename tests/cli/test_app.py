"""The command itself: its verbs, and how errors reach the user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

import facekit
from facekit.cli import app as module
from facekit.errors import DataError

VERBS = (
    "predict",
    "demo",
    "enroll",
    "enrolled",
    "forget",
    "pretrain",
    "evaluate",
    "sweep",
    "transfer",
    "audit",
    "compare",
    "recipes",
    "models",
    "data",
    "doctor",
)


def test_help_lists_every_verb_in_a_line(run) -> None:
    answer = run("--help")
    assert answer.code == 0
    lines = answer.out.split("Commands:")[1].strip().splitlines()
    assert [line.split()[0] for line in lines] and {line.split()[0] for line in lines} == set(VERBS)
    assert not [line for line in lines if line.endswith("...")], "a summary is cut short"


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(run, verb: str) -> None:
    answer = run(verb, "--help")
    assert answer.code == 0
    assert answer.out.startswith("Usage: ")


def commands() -> list[tuple[str, Any]]:
    """Every command with its path, such as ``models list``."""
    found: list[tuple[str, Any]] = []
    waiting: list[tuple[str, Any]] = [("", typer.main.get_command(module.app))]
    while waiting:
        path, command = waiting.pop()
        below = getattr(command, "commands", {})
        waiting += [(f"{path} {name}".strip(), one) for name, one in below.items()]
        if path:
            found.append((path, command))
    return found


@pytest.mark.parametrize("path", sorted(path for path, _ in commands()))
def test_every_option_is_in_the_help_and_says_what_it_does(run, path: str) -> None:
    command = dict(commands())[path]
    answer = run(*path.split(), "--help")
    assert answer.code == 0
    shown = "".join(answer.out.split())  # wherever a line was broken
    for one in command.params:
        assert one.help and "".join(one.help.split()) in shown, one.name
        flags = [flag for flag in one.opts if flag.startswith("--")]
        assert all(flag in shown for flag in flags), one.name


def test_transfer_and_its_neighbours_have_the_options_of_the_manual() -> None:
    flags = {
        path: {flag for one in command.params for flag in one.opts if flag.startswith("--")}
        for path, command in commands()
    }
    assert flags["transfer"] >= {
        "--data", "--rung", "--recipe", "--set", "--resume", "--out", "--epochs", "--labels",
        "--people", "--cross", "--exclude", "--allow-missing",
    }  # fmt: skip
    assert flags["pretrain"] >= {"--data", "--exclude", "--recipe", "--set", "--resume", "--out"}
    assert flags["evaluate"] >= {"--data", "--exclude", "--split", "--model", "--labels", "--json"}
    assert flags["sweep"] >= {
        "--data", "--set", "--out", "--resume", "--only", "--slurm", "--dry-run", "--json",
    }  # fmt: skip
    assert flags["data export-tfrecord"] >= {
        "--data", "--out", "--classes", "--first-label", "--image-key", "--label-key",
    }  # fmt: skip
    assert flags["compare"] >= {"--markdown", "--html", "--json"}
    assert flags["audit"] >= {"--data", "--exclude", "--exclude-out", "--out", "--json"}


def test_version(run) -> None:
    assert run("--version").out == f"facekit {facekit.__version__}\n"


def test_an_unknown_verb_names_the_nearest(run) -> None:
    answer = run("predct")
    assert answer.code == 2
    assert "predict" in answer.err
    assert answer.out == ""


def test_an_error_is_one_line_and_code_2(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DataError("first\nsecond")

    monkeypatch.setattr(module, "app", fail)
    answer = run()
    assert (answer.code, answer.out, answer.err) == (2, "", "facekit: first second\n")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (PermissionError(13, "Permission denied", "/a/b"), "/a/b: Permission denied"),
        (
            OSError(28, "No space left on device"),
            "No space left on device: free some, or name another place",
        ),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line(
    run, monkeypatch: pytest.MonkeyPatch, error: OSError, line: str
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(module, "app", fail)
    answer = run()
    assert (answer.code, answer.out, answer.err) == (2, "", f"facekit: {line}\n")


def test_an_interrupt_is_quiet_and_code_130(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("facekit.recipe.load.list_recipes", interrupt)
    answer = run("recipes")
    assert (answer.code, answer.out, answer.err) == (130, "", "")
    monkeypatch.setattr(module, "app", interrupt)
    answer = run()
    assert (answer.code, answer.out, answer.err) == (130, "", "")


def test_a_bug_is_not_hidden(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module, "app", fail)
    with pytest.raises(ZeroDivisionError):
        run()


@pytest.mark.parametrize("verb", ["pretrain", "evaluate"])
def test_an_unknown_data_set_names_the_nearest(run, verb: str, tmp_path: Path) -> None:
    answer = run(verb, "celebs", "--data", tmp_path)
    assert answer.code == 2
    assert "did you mean celeba?" in answer.err
    assert answer.err.count("\n") == 1


def test_an_unknown_split_or_source_is_refused(run, tmp_path: Path) -> None:
    answer = run("evaluate", "celeba", "--data", tmp_path, "--split", "tets")
    assert answer.code == 2
    assert "did you mean test?" in answer.err
    answer = run("pretrain", "celeba", "--data", tmp_path, "--source", "tfd")
    assert answer.code == 2
    assert "did you mean tfds?" in answer.err


def test_help_takes_four_tenths_of_a_second() -> None:
    """Processor time, best of three: what else the machine does is not our time."""
    command = [sys.executable, "-m", "facekit", "--help"]
    took = []
    for _ in range(3):
        before = os.times()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ)
        after = os.times()
        took.append(
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
    assert 0.01 < min(took) <= 0.4


TERMINATED = """
import os, signal
from pathlib import Path
from facekit.cli.app import main
from facekit.system.files import draft_folder, output_stream

def work():
    with draft_folder(Path("made")) as draft, output_stream(Path("a.txt")) as stream:
        (draft / "x").write_text("half")
        stream.write("half")
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()

main(work)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_command_that_is_told_to_end_clears_its_drafts_away(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", TERMINATED], cwd=tmp_path, timeout=60)
    assert done.returncode == 128 + 15
    assert os.listdir(tmp_path) == []
