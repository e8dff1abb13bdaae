"""Locks between processes: held by one, freed when it dies."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from facekit.system.files import exclusive, is_held, locked

#: Holds a lock until it is killed or its standard input ends.
HOLDER = """
import sys
from pathlib import Path
from facekit.system.files import exclusive
with exclusive(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds ``tmp_path / "lock"``."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "lock")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_one_process_holds_it(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert is_held(path)
    with pytest.raises(BlockingIOError, match="held by another process"), exclusive(path):
        raise AssertionError("two processes hold one lock")
    assert path.exists()
    holder.communicate("")
    assert not path.exists() and not is_held(path)
    with exclusive(path):
        assert is_held(path)


def test_a_killed_process_frees_it(holder: subprocess.Popen[str], tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert path.exists()  # what it left behind bars nobody
    with exclusive(path):
        pass
    assert not path.exists()


def test_it_is_freed_and_gone_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), exclusive(path):
        raise ZeroDivisionError
    assert not path.exists()
    with exclusive(path):
        pass


def test_a_file_removed_while_it_was_opened_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last holder unlinks the file after we have opened it: ours would bar nobody."""
    path, tried = tmp_path / "lock", []
    exists = Path.exists

    def vanishes(self: Path, **options: bool) -> bool:
        if self == path:
            tried.append(1)
            if len(tried) == 1:
                path.unlink()
        return exists(self, **options)

    monkeypatch.setattr(Path, "exists", vanishes)
    with exclusive(path):
        assert exists(path) and len(tried) == 2


@pytest.mark.skipif(sys.platform == "win32", reason="flock is of Unix")
def test_where_there_are_no_locks_nothing_is_barred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A soft lock would bar everybody after its process was killed on another machine."""
    import fcntl

    def missing(fd: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, "no locks here")

    monkeypatch.setattr(fcntl, "flock", missing)
    path = tmp_path / "lock"
    with exclusive(path):
        assert not is_held(path)
        with exclusive(path), locked(path):
            pass
    path.write_text("1 another-machine")  # left by a process that was killed there
    assert not is_held(path)


@pytest.mark.skipif(sys.platform == "win32", reason="flock is of Unix")
def test_other_faults_of_a_lock_are_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def broken(fd: int, operation: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(fcntl, "flock", broken)
    with pytest.raises(OSError, match="broken"), exclusive(tmp_path / "lock"):
        raise AssertionError("held without a lock")


def test_a_waiting_lock_says_so(
    holder: subprocess.Popen[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import threading

    timer = threading.Timer(0.3, lambda: holder.communicate(""))
    timer.start()
    with locked(tmp_path / "lock", "waiting for it"):
        assert "waiting for it" in capsys.readouterr().err
    timer.join()  # it still reads from the other process
