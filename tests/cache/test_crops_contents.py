"""Files are known by what they hold, and read once."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from facekit.cache import crops as contents
from facekit.cache.crops import UNREAD, content_marks


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def test_files_and_bytes_have_the_same_mark(tmp_path: Path) -> None:
    path, other = write(tmp_path / "a", b"one"), sha(b"two")
    marks = content_marks([path, b"one", b"two"], tmp_path / "memory")
    assert marks == [sha(b"one"), sha(b"one"), other]


def test_what_cannot_be_read_says_why_and_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "later"
    assert content_marks([path], tmp_path / "memory") == [f"{UNREAD}: No such file or directory"]
    write(path, b"here")
    assert content_marks([path], tmp_path / "memory") == [sha(b"here")]


@pytest.mark.skipif(os.name == "nt", reason="nothing is remembered there")
def test_a_settled_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a", b"one")
    monkeypatch.setattr(contents, "_SETTLED", -(10**12))
    assert content_marks([path], tmp_path / "memory") == [sha(b"one")]
    monkeypatch.setattr(Path, "open", None)  # would fail
    assert content_marks([path], tmp_path / "memory") == [sha(b"one")]


def test_a_file_changed_just_now_is_read_again(tmp_path: Path) -> None:
    """Same size, same time of change, maybe the same ctime to a coarse clock."""
    path = write(tmp_path / "a", b"one")
    assert content_marks([path], tmp_path / "memory") == [sha(b"one")]
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert content_marks([path], tmp_path / "memory") == [sha(b"two")]


@pytest.mark.skipif(os.name == "nt", reason="nothing is remembered there")
def test_times_that_are_put_back_fool_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SETTLED", -(10**12))  # everything is remembered
    path = write(tmp_path / "a", b"one")
    before = path.stat()
    content_marks([path], tmp_path / "memory")
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert content_marks([path], tmp_path / "memory") == [sha(b"two")]


def test_a_memory_that_cannot_be_used_costs_time_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"one")
    damaged = write(tmp_path / "memory", b"no database, but long enough to be looked at" * 99)
    assert content_marks([path], damaged) == [sha(b"one")]
    assert content_marks([path], tmp_path / "a" / "below a file") == [sha(b"one")]
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert content_marks([path], tmp_path / "pipe") == [sha(b"one")]


def test_known_and_new_sources_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_SETTLED", -(10**12))  # everything is remembered
    files = [write(tmp_path / f"{i}.png", b"%d" % i) for i in range(9)]
    content_marks(files[::2], tmp_path / "memory")
    sources = [*files, b"bytes", tmp_path / "missing.png", files[0]]
    read: list[Path] = []
    mark = contents._mark
    monkeypatch.setattr(
        contents, "_mark", lambda path, fresh: read.append(path) or mark(path, fresh)
    )
    found = content_marks(sources, tmp_path / "memory")
    assert found[:10] == [*(sha(b"%d" % i) for i in range(9)), sha(b"bytes")]
    assert found[10].startswith(UNREAD) and found[11] == found[0]
    assert sorted(read) == [*files[1::2], tmp_path / "missing.png"]
