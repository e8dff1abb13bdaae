"""One command in a process of its own: what it says, why it failed, and that it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facekit.workflows.sweep import run as sweep_process
from facekit.workflows.sweep.run import run_facekit


def stand_in(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``python -m facekit`` run other code."""
    (folder / "facekit").mkdir()
    (folder / "facekit" / "__init__.py").touch()  # else an installed package goes before it
    (folder / "facekit" / "__main__.py").write_text(code)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_it_passes_on_what_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_facekit(["--version"]) == ""
    out, err = capsys.readouterr()
    assert out == "" and err.startswith("facekit ")


def test_a_refusal_is_its_line() -> None:
    assert run_facekit(["recipes", "show", "demos"]).startswith("no recipe is called 'demos'; did")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('a\\n\\n'); raise ValueError('why')", "ValueError: why"),
        ("raise SystemExit(3)", "ended with code 3"),
        ("import os; os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import os; os.write(1, b'\\xff\\n'); raise SystemExit(1)", "\ufffd"),
        ("", ""),
    ],
)
def test_why_it_failed(
    code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, code, monkeypatch)
    assert run_facekit([]) == words


@pytest.mark.parametrize("code", ["raise SystemExit(130)", "import os; os.kill(os.getpid(), 2)"])
def test_an_interrupt_stops_everything(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, f"import signal; signal.signal(2, signal.SIG_DFL); {code}", monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        run_facekit([])


def test_who_ends_a_sweep_ends_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = Path(sweep_process.__file__).parents[3]
    stand_in(tmp_path, "import os, time\nprint(os.getpid())\ntime.sleep(60)\n", monkeypatch)
    code = (
        f"import sys; sys.path[:0] = [{str(repository)!r}]\n"
        "from facekit.workflows.sweep.run import run_facekit\nrun_facekit([])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        run = int(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 128 + signal.SIGTERM
    for _ in range(100):
        try:
            os.kill(run, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("the run outlives its sweep")
