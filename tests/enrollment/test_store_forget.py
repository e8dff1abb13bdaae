"""To forget is to leave no trace."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from facekit.enrollment.store import forget, state_of, write_enrollment
from facekit.errors import DataError, UsageError
from facekit.system.home import enrolled_folder


def everything(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*")}


def test_every_trace_goes_and_is_named(facekit_home: Path, make, photos) -> None:
    write_enrollment(make("me"), photos, {"report.html": b"x"})
    root = enrolled_folder()
    for kind in ("new", "old", "gone"):
        (root / f".me.01234567.{kind}").mkdir()
        (root / f".me.01234567.{kind}" / "head.npz").write_bytes(b"half")
    done = forget("me")
    files = {"manifest.json", "head.npz", "photos.npz", "report.html"}
    assert {path.name for path in done.removed if path.parent == root / "me"} == files
    assert sum(path.parent.name.startswith(".me.") for path in done.removed) == 3
    assert done.kept == ()
    assert everything(facekit_home) <= {"enrolled.lock"}, "an empty file that names nobody"


def test_others_stay(facekit_home: Path, make, photos) -> None:
    for name in ("me", "me.2", "mee"):
        write_enrollment(make(name), photos)
    (enrolled_folder() / ".mee.01234567.new").mkdir()
    before = {name: state_of(name) for name in ("me.2", "mee")}
    forget("me")
    assert sorted(os.listdir(enrolled_folder())) == ["me.2", "mee"]
    assert {name: state_of(name) for name in before} == before


def test_leftovers_of_somebody_who_is_gone_are_found(facekit_home: Path, make, photos) -> None:
    write_enrollment(make("me"), photos)
    root = enrolled_folder()
    (root / "me").rename(root / ".me.01234567.gone")
    assert len(forget("me").removed) == 3
    assert not root.exists()
    with pytest.raises(UsageError, match="nobody is enrolled as 'me'"):
        forget("me")


def test_damage_does_not_hinder(facekit_home: Path, make, photos) -> None:
    write_enrollment(make("me"), photos)
    (enrolled_folder() / "me" / "manifest.json").write_bytes(b"{")
    (enrolled_folder() / "me" / "stray.jpg").write_bytes(b"x")
    assert {path.name for path in forget("me").removed} >= {"stray.jpg", "manifest.json"}
    assert not enrolled_folder().exists()


def test_links_are_removed_and_not_followed(facekit_home: Path, make, photos, tmp_path) -> None:
    album = tmp_path / "album"
    album.mkdir()
    (album / "photo.jpg").write_bytes(b"mine")
    write_enrollment(make("me"), photos)
    (enrolled_folder() / "me" / "link").symlink_to(album)
    forget("me")
    enrolled_folder().mkdir()
    (enrolled_folder() / "me").symlink_to(album)
    assert forget("me").removed == (enrolled_folder() / "me",)
    assert (album / "photo.jpg").read_bytes() == b"mine"
    enrolled_folder().symlink_to(album)
    with pytest.raises(DataError, match="is a link"):
        forget("photo.jpg")
    assert (album / "photo.jpg").exists()


def test_copies_of_the_page_go_unless_they_were_changed(
    facekit_home: Path, make, photos, tmp_path: Path
) -> None:
    page = b"<title>Enrolled: me</title>"
    first, second, third = (tmp_path / name / "me.html" for name in "abc")
    for path in (first, second, third):
        path.parent.mkdir()
    write_enrollment(make("me"), photos, copies={first: page, second: page})
    write_enrollment(make("me"), photos, copies={third: page}, replaces=state_of("me"))
    assert {path.stat().st_mode & 0o777 for path in (first, second, third)} == {0o600}
    second.write_bytes(b"my notes")
    done = forget("me")
    assert {first, third} <= set(done.removed)
    assert done.kept == (second,)
    assert list(tmp_path.glob("[abc]/*")) == [second]


@pytest.mark.parametrize(
    ("victim", "content"),
    [("thesis.txt", b"mine"), ("me.html", b"mine"), ("me-augmented.png", b"mine"), ("b", b"")],
)
def test_a_planted_manifest_deletes_nothing(
    facekit_home: Path, make, photos, tmp_path: Path, victim: str, content: bytes
) -> None:
    path = tmp_path / victim
    write_enrollment(make("me"), photos, copies={path: content})
    (tmp_path / f".{victim}.part").symlink_to(path)
    done = forget("me")
    assert done.kept == (path,)
    assert path.read_bytes() == content


@pytest.mark.parametrize("again", [True, False])
def test_what_a_killed_run_wrote_elsewhere_is_found(
    facekit_home: Path, make, photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    page, sheet = tmp_path / "me.html", tmp_path / "me-augmented.png"
    copies = {page: b"<title>Enrolled: me</title>", sheet: b"\x89PNG faces"}

    def killed(part: Path, target: Path) -> None:
        if Path(target) == sheet:
            monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
            monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
            raise KeyboardInterrupt
        os.rename(part, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(os, "replace", killed)
        write_enrollment(make("me"), photos, copies=copies)
    monkeypatch.undo()
    monkeypatch.setenv("FACEKIT_HOME", str(facekit_home))
    left = [path for path in tmp_path.iterdir() if path.is_file()]
    assert {path.name for path in left} == {"me.html", ".me-augmented.png.part"}
    assert {path.stat().st_mode & 0o777 for path in left} == {0o600}
    if again:
        write_enrollment(make("me"), photos)
    else:
        forget("me")
    assert not [path for path in tmp_path.iterdir() if path.is_file()]


@pytest.mark.parametrize("name", ["../me", "", "a/b", ".me.01234567.old"])
def test_names_cannot_point_elsewhere(facekit_home: Path, name: str) -> None:
    with pytest.raises(UsageError, match="name"):
        forget(name)
