"""Answers where the user asked for them: files, links, pipes, standard output."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from facekit.system.files import output_stream, sweep_drafts, write_new, write_output

posix = pytest.mark.skipif(os.name != "posix", reason="named pipes and links are of POSIX")


def test_a_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.jsonl"
    target.write_text("old")
    with output_stream(target) as stream:
        stream.write("new\n")
        stream.flush()
        assert target.read_text() == "old"
    assert target.read_bytes() == b"new\n"
    assert os.listdir(tmp_path) == ["a.jsonl"]


def test_an_error_leaves_the_older_file_and_no_draft(tmp_path: Path) -> None:
    target = tmp_path / "a.jsonl"
    target.write_text("old")
    with pytest.raises(ValueError, match="no"), output_stream(target) as stream:
        stream.write("half")
        raise ValueError("no")
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.jsonl"]


@posix
def test_a_pipe_gets_the_text_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "p"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    write_output(pipe, "through\n")
    reader.join(10)
    assert got == ["through\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@posix
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_the_file_that_it_names_is_written(tmp_path: Path, there: bool) -> None:
    target, link = tmp_path / "sub" / "target", tmp_path / "link"
    target.parent.mkdir()
    if there:
        target.write_text("old")
    link.symlink_to(target)
    write_output(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert os.listdir(tmp_path / "sub") == ["target"]


@posix
def test_a_device_is_written_and_stays(tmp_path: Path) -> None:
    link = tmp_path / "null"
    link.symlink_to(os.devnull)
    write_output(link, "gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert link.is_symlink()


@posix
def test_a_link_that_leads_in_a_circle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        write_output(tmp_path / "a", "x")
    assert (tmp_path / "a").is_symlink()


@posix
def test_the_file_that_standard_output_goes_to_is_written_on(tmp_path: Path) -> None:
    code = "from pathlib import Path; from facekit.system.files import write_output\n"
    code += "print('before', flush=True); write_output(Path('/dev/stdout'), 'x\\n'); print('after')"
    with (tmp_path / "out").open("wb") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True, timeout=60)
    assert (tmp_path / "out").read_text() == "before\nx\nafter\n"


def test_a_dash_is_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    write_output(Path("-"), "said\n")
    assert capsys.readouterr().out == "said\n"


def test_a_new_file_replaces_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a"
    assert write_new(target, b"first")
    assert not write_new(target, b"second")

    def refuse(*_: object) -> None:
        raise PermissionError("this file system knows no hard links")

    monkeypatch.setattr(os, "link", refuse)
    assert not write_new(target, b"third")
    assert write_new(tmp_path / "b", b"fourth")
    assert target.read_bytes() == b"first"
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_the_longest_name_of_a_file_can_be_written(tmp_path: Path) -> None:
    target = tmp_path / ("n" * 255)
    write_output(target, "x")
    assert write_new(tmp_path / ("m" * 255), b"x")
    assert target.read_text() == "x"


def killed(folder: Path, code: str) -> None:
    """Run a program that kills itself with all it was writing."""
    head = "import os, signal\nfrom pathlib import Path\nfrom facekit.system.files import *\n"
    kill = "os.kill(os.getpid(), signal.SIGKILL)\n"
    done = subprocess.run([sys.executable, "-c", head + code + kill], cwd=folder, timeout=60)
    assert done.returncode == -9


DRAFTS = {
    "a file": "with output_stream(Path('a.txt')) as s:\n s.write('half'); s.flush()\n ",
    "a folder": "with draft_folder(Path('made')) as d:\n (d / 'x').write_text('half')\n ",
}


@posix
@pytest.mark.parametrize("what", DRAFTS)
def test_what_a_killed_process_left_goes_with_the_next(tmp_path: Path, what: str) -> None:
    killed(tmp_path, DRAFTS[what])
    assert len(list(tmp_path.glob(".*.part"))) == 1
    (tmp_path / ".mine.part").write_text("of the user")
    live = tmp_path / f".{next(iter(tmp_path.glob('.*-*.part'))).name.split('.')[-2]}"
    live = live.with_name(live.name.replace(live.name.split("-")[1], str(os.getpid())) + ".part")
    live.write_text("of a process that is at work")
    write_output(tmp_path / "a.txt", "whole")
    assert sorted(os.listdir(tmp_path)) == sorted([".mine.part", live.name, "a.txt"])


@posix
def test_a_folder_that_stepped_aside_comes_back(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "x").write_text("old")
    stop = "Path.rename = lambda self, to, old=Path.rename: (old(self, to), {})[1]\n".format(
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed(tmp_path, stop + "with draft_folder(Path('made')) as d:\n (d / 'x').write_text('new')\n")
    assert not (tmp_path / "made").exists()
    sweep_drafts(tmp_path)
    assert (tmp_path / "made" / "x").read_text() == "old"
    assert os.listdir(tmp_path) == ["made"]
