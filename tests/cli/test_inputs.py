"""Files, folders and globs: every input gives something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from facekit.system.inputs import Failure, expand


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_order_is_kept_and_a_file_named_twice_counts_twice(tmp_path: Path) -> None:
    b, a = touch(tmp_path / "b.jpg"), touch(tmp_path / "a.jpg")
    assert list(expand([str(b), str(a), str(b)])) == [b, a, b]


def test_a_file_named_outright_needs_no_ending(tmp_path: Path) -> None:
    path = touch(tmp_path / "photo")
    assert list(expand([str(path)])) == [path]


def test_a_folder_is_walked_to_any_depth_for_pictures_alone(tmp_path: Path) -> None:
    touch(tmp_path / "notes.txt")
    wanted = [
        touch(tmp_path / "z.JPG"),
        touch(tmp_path / "inner" / "deep" / "Gesicht ü 脸.webp"),
        touch(tmp_path / "inner" / "x.png"),
    ]
    assert set(expand([str(tmp_path)])) == set(wanted)
    assert list(expand([str(tmp_path)])) == list(expand([str(tmp_path)]))


def test_a_folder_gives_what_is_decoded_and_what_is_explained(tmp_path: Path) -> None:
    explained = touch(tmp_path / "phone.HEIC")
    touch(tmp_path / "old.jp2")
    touch(tmp_path / "sun.ras")
    assert list(expand([str(tmp_path)])) == [explained]


def test_a_folder_without_pictures_is_a_failure(tmp_path: Path) -> None:
    touch(tmp_path / "notes.txt")
    (failure,) = expand([str(tmp_path)])
    assert failure == Failure(str(tmp_path), "no picture in this folder")


def test_a_glob_and_a_folder_it_matches(tmp_path: Path) -> None:
    one, two = touch(tmp_path / "p1.jpg"), touch(tmp_path / "p2" / "x.jpg")
    touch(tmp_path / "q.jpg")
    assert list(expand([str(tmp_path / "p*")])) == [one, two]
    assert list(expand([str(tmp_path / "**" / "x.jpg")])) == [two]


def test_a_glob_without_a_match_is_a_failure(tmp_path: Path) -> None:
    pattern = str(tmp_path / "*.jpg")
    assert list(expand([pattern])) == [Failure(pattern, "no file matches this pattern")]


def test_a_name_with_brackets_is_taken_as_it_is(tmp_path: Path) -> None:
    path = touch(tmp_path / "photo [1].jpg")
    assert list(expand([str(path)])) == [path]


def test_what_is_not_there_is_a_failure(tmp_path: Path) -> None:
    path = str(tmp_path / "none.jpg")
    assert list(expand([path])) == [Failure(path, "no such file or folder")]


def test_a_pipe_or_a_dead_link_is_a_failure_and_blocks_nobody(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe.jpg", tmp_path / "link.jpg"
    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "gone.jpg")
    assert [type(item) for item in expand([str(pipe), str(link)])] == [Failure, Failure]
    assert [type(item) for item in expand([str(tmp_path)])] == [Failure, Failure]


def test_a_folder_that_cannot_be_read_is_a_failure_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, closed = touch(tmp_path / "good.jpg"), tmp_path / "closed"
    touch(closed / "inside.jpg")
    scandir = os.scandir

    def refuse(path: str) -> object:
        if os.fspath(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(closed))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    failure = Failure(str(closed), "cannot be read: Permission denied")
    assert list(expand([str(tmp_path)])) == [good, failure]
    assert list(expand([str(closed)])) == [failure]


@pytest.mark.parametrize(
    "hidden",
    [
        *("._a.jpg", ".Trash-1000/files/b.jpg", "@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg"),
        *("#recycle/b.jpg", ".thumbnails/normal/c.png", "$RECYCLE.BIN/S-1/d.jpg", "__MACOSX/a.jpg"),
    ],
)
def test_what_is_hidden_is_passed_over_and_told_once(
    tmp_path: Path, hidden: str, caplog: pytest.LogCaptureFixture
) -> None:
    shown, below = touch(tmp_path / "a.jpg"), touch(tmp_path / "sub" / "a.jpg")
    touch(tmp_path / hidden)
    touch(tmp_path / "sub" / hidden)
    assert list(expand([str(tmp_path), str(tmp_path)])) == [shown, below] * 2
    (told,) = caplog.messages
    files = 4 if "/" not in hidden else 0
    assert f"{files} picture files and {4 - files} folders" in told
    caplog.clear()
    assert set(expand([str(tmp_path / "**" / "*.*")])) >= {shown, below}
    named = tmp_path / hidden
    assert list(expand([str(named)])) == [named]  # whoever names it means it


def test_a_glob_that_asks_for_the_hidden_gets_it(tmp_path: Path) -> None:
    waste, dotted = touch(tmp_path / "#recycle" / "a.jpg"), touch(tmp_path / ".b.jpg")
    touch(tmp_path / "@eaDir" / "c.jpg")
    assert list(expand([str(tmp_path / "#rec*" / "*")])) == [waste]
    assert list(expand([str(tmp_path / ".*.jpg")])) == [dotted]
    (failure,) = expand([str(tmp_path / "*")])
    assert isinstance(failure, Failure)
