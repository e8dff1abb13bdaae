"""Answers where the user asked for them: files, links, pipes, standard output."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from facekit.system.files import output_stream, write_new, write_output

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
