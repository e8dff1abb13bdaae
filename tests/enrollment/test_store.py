"""Enrolments on disk: private, whole or not at all, checked, forgotten entirely."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from facekit.bundle.manifest import seal
from facekit.enrollment.layout import held, leftovers, settle
from facekit.enrollment.read import (
    check_files,
    list_enrolled,
    read_enrollment,
    read_photos,
    state_in_words,
)
from facekit.enrollment.store import NOBODY, state_of, write_enrollment
from facekit.errors import DataError, UsageError
from facekit.heads.arrays import pack
from facekit.system.home import enrolled_folder

POSIX = pytest.mark.skipif(os.name != "posix", reason="modes are POSIX")


@pytest.fixture
def home(facekit_home: Path) -> Path:
    return facekit_home


@pytest.fixture
def folder(home: Path, make, photos) -> Path:
    """The folder of somebody enrolled as "me"."""
    write_enrollment(make(), photos, {"report.html": b"<p>page</p>"})
    return enrolled_folder() / "me"


def modes(root: Path) -> dict[str, int]:
    return {
        path.name: stat.S_IMODE(path.lstat().st_mode) for path in (root, *sorted(root.rglob("*")))
    }


def reseal(folder: Path, **changes: object) -> None:
    """Change the manifest and give it a hash that fits."""
    path = folder / "manifest.json"
    record = json.loads(path.read_bytes())
    del record["sha256"]
    path.write_text(seal({**record, **changes}))


def test_what_was_written_is_read_back(folder: Path, make, photos) -> None:
    me, again = make(), read_enrollment("me")
    rows = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    assert again.judge(rows) == me.judge(rows)
    for field in ("name", "threshold", "reject", "platt", "key", "bundle", "created", "facts"):
        assert getattr(again, field) == getattr(me, field)
    for name, array in read_photos("me").items():
        np.testing.assert_array_equal(array, photos[name])
    assert again.folder == folder
    assert sorted(os.listdir(folder)) == ["head.npz", "manifest.json", "photos.npz", "report.html"]
    check_files("me")


@POSIX
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_only_the_owner_may_look_whatever_the_umask(home: Path, make, photos, mask: int) -> None:
    made: list[int] = []
    opened = os.open

    def watch(path: object, flags: int, mode: int = 0o777, **more: object) -> int:
        number = opened(path, flags, mode, **more)  # type: ignore[call-overload]
        if flags & os.O_CREAT and "enrolled/" in str(path):
            made.append(stat.S_IMODE(os.fstat(number).st_mode))
        return number

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", watch)
        before = os.umask(mask)
        try:
            write_enrollment(make(), photos, {"report.html": b"x"})
        finally:
            os.umask(before)
    assert len(made) == 4 and not any(mode & 0o177 for mode in made), "open before its chmod"
    found = modes(enrolled_folder())
    files = {"head.npz", "manifest.json", "photos.npz", "report.html"}
    assert found == {"enrolled": 0o700, "me": 0o700, **dict.fromkeys(files, 0o600)}


@POSIX
def test_a_folder_that_was_open_is_closed(home: Path, make, photos) -> None:
    enrolled_folder().mkdir(mode=0o755)
    enrolled_folder().chmod(0o755)
    write_enrollment(make(), photos)
    assert modes(enrolled_folder())["enrolled"] == 0o700
    (enrolled_folder() / "me").chmod(0o750)
    assert "open to others" in state_in_words(list_enrolled()[0])


def test_a_second_one_replaces_the_first_only_when_that_is_meant(
    folder: Path, make, photos
) -> None:
    first = state_of("me")
    with pytest.raises(UsageError, match="meanwhile"):
        write_enrollment(make(bias=2.0), photos)
    assert state_of("me") == first != NOBODY
    write_enrollment(make(bias=2.0), photos, replaces=first)
    assert read_enrollment("me").judge(np.zeros((1, 8), np.float32))[0].score == 2
    with pytest.raises(UsageError, match="meanwhile"):
        write_enrollment(make(bias=3.0), photos, replaces=first)
    assert not (folder / "report.html").exists(), "files of the first one are gone"
    assert os.listdir(enrolled_folder()) == ["me"]


def test_a_damaged_one_can_be_replaced(folder: Path, make, photos) -> None:
    (folder / "manifest.json").unlink()
    assert state_of("me") == "damaged"
    write_enrollment(make(), photos, replaces="damaged")
    check_files("me")


@pytest.mark.parametrize("name", ["head.npz", "photos.npz", "report.html", "manifest.json"])
def test_every_changed_or_shortened_file_is_refused(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    middle = len(whole) // 2
    altered = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    for data in (altered, whole[:-1], whole + b" ", b""):
        (folder / name).write_bytes(data)
        with pytest.raises(DataError, match=name.replace(".", r"\.")) as caught:
            check_files("me")
        assert "\n" not in str(caught.value) and "enrol again" in str(caught.value)
    (folder / name).unlink()
    with pytest.raises(DataError, match=name.replace(".", r"\.")):
        check_files("me")


def test_reading_checks_what_it_reads(folder: Path) -> None:
    for name, read in (("head.npz", read_enrollment), ("photos.npz", read_photos)):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-1] + b"x")
        with pytest.raises(DataError, match=f"{name} has been altered"):
            read("me")
        (folder / name).write_bytes(data)


def test_pickled_and_foreign_arrays_are_refused_even_with_a_fitting_hash(folder: Path) -> None:
    import hashlib
    import io

    buffer = io.BytesIO()
    np.savez(buffer, vectors=np.array([print], dtype=object), kind="linear")
    evil = buffer.getvalue()
    foreign = pack({"kind": np.array("forest")})
    for data in (evil, foreign, b"PK no archive"):
        digest = hashlib.sha256(data).hexdigest()
        for name in ("head.npz", "photos.npz"):
            (folder / name).write_bytes(data)
        reseal(folder, files={"head.npz": digest, "photos.npz": digest})
        with pytest.raises(DataError, match=r"head\.npz is no head"):
            read_enrollment("me")
        if data is not foreign:
            with pytest.raises(DataError, match=r"photos\.npz holds no arrays"):
                read_photos("me")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "has format 2"),
        ({"threshold": None}, "threshold"),
        ({"name": "you"}, "enrolment of 'you'"),
        ({"extra": 1}, "extra"),
        ({"files": {"../../x": "0" * 64}}, "files"),
        ({"files": {}}, r"head\.npz has been altered"),
        ({"platt": [-1.0, 0.0]}, "does not fit together"),
    ],
)
def test_a_manifest_of_another_kind_is_refused(folder: Path, changes: dict, words: str) -> None:
    reseal(folder, **changes)
    with pytest.raises(DataError, match=words) as caught:
        read_enrollment("me")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "null", "\xff", "[" * 100_000])
def test_a_manifest_that_is_no_object_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match="altered"):
        read_enrollment("me")


def test_links_are_refused_everywhere(folder: Path, make, photos, tmp_path: Path) -> None:
    secret = tmp_path / "secret.npz"
    secret.write_bytes((folder / "head.npz").read_bytes())
    (folder / "head.npz").unlink()
    (folder / "head.npz").symlink_to(secret)
    with pytest.raises(DataError, match="it is a link"):
        read_enrollment("me")
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    folder.symlink_to(moved)
    with pytest.raises(DataError, match="is a link"):
        read_enrollment("me")
    root = enrolled_folder()
    root.rename(tmp_path / "all")
    root.symlink_to(tmp_path / "all")
    for act in (list_enrolled, lambda: write_enrollment(make("you"), photos)):
        with pytest.raises(DataError, match="is a link"):
            act()
    assert not (tmp_path / "all" / "you").exists()


@POSIX
def test_a_pipe_does_not_hang_the_reader(folder: Path) -> None:
    (folder / "head.npz").unlink()
    os.mkfifo(folder / "head.npz")
    with pytest.raises(DataError, match="no regular file"):
        read_enrollment("me")


def test_nobody_is_told_who_there_is(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"nobody is enrolled as 'mee' .*mean me.*: known are me"):
        read_enrollment("mee")
    with pytest.raises(UsageError, match="cannot be used"):
        read_enrollment("../me")


def test_nothing_is_made_by_looking(home: Path) -> None:
    assert list_enrolled() == []
    with pytest.raises(UsageError, match="known are none"):
        read_enrollment("me")
    assert state_of("me") == NOBODY
    assert list(home.iterdir()) == []


def test_the_list_has_whole_and_damaged_ones_by_name(folder: Path, make, photos) -> None:
    write_enrollment(make("anna"), photos)
    write_enrollment(make("zoe"), photos)
    (enrolled_folder() / "zoe" / "head.npz").write_bytes(b"")
    (enrolled_folder() / ".DS_Store").write_bytes(b"x")
    (enrolled_folder() / "notes").write_text("a file")
    found = {entry.name: entry for entry in list_enrolled()}
    assert list(found) == ["anna", "me", "notes", "zoe"]
    assert found["anna"].error is None and found["me"].enrollment is not None
    assert "no folder" in str(found["notes"].error)
    assert "altered" in str(found["zoe"].error) and found["zoe"].enrollment is None


def test_states_name_models_that_are_gone_or_changed(
    folder: Path, make, photos, tiny_bundle: Path
) -> None:
    import shutil

    from facekit.system.home import models_folder

    assert "not among the models" in state_in_words(list_enrolled()[0])
    shutil.copytree(tiny_bundle, models_folder() / "tiny")
    assert state_in_words(list_enrolled()[0]) == "ok"
    write_enrollment(replace(make(), key="0" * 16), photos, replaces=state_of("me"))
    assert "another backbone of tiny: enrol again" in state_in_words(list_enrolled()[0])


def test_a_draft_that_cannot_be_read_back_leaves_the_old_one(folder: Path, make, photos) -> None:
    before = state_of("me")
    with pytest.raises(TypeError):
        write_enrollment(make(facts={"x": object()}), photos, replaces=before)
    with pytest.raises(ValueError, match=r"pickle|object"):
        write_enrollment(make(), {"x": np.array([print])}, replaces=before)
    assert state_of("me") == before
    assert os.listdir(enrolled_folder()) == ["me"]


def test_what_killed_runs_left_is_put_in_order(folder: Path, make, photos) -> None:
    root = enrolled_folder()
    write_enrollment(make("anna"), photos)
    (root / ".me.0123abcd.new").mkdir()
    (root / ".me.0123abcd.new" / "head.npz").write_bytes(b"half")
    (root / "anna").rename(root / ".anna.89abcdef.old")
    (root / ".bob x.v1.01234567.gone").mkdir()
    (root / ".something").mkdir()
    assert [(name, kind) for _, name, kind in leftovers(root)] == [
        ("anna", "old"), ("bob x.v1", "gone"), ("me", "new"),
    ]  # fmt: skip
    assert leftovers(root, "m") == []
    with held():
        settle(root)
    assert sorted(os.listdir(root)) == [".something", "anna", "me"]
    assert read_enrollment("anna").name == "anna"


def test_readers_bring_back_what_a_kill_set_aside(folder: Path) -> None:
    folder.rename(folder.with_name(".me.01234567.old"))
    assert read_enrollment("me").name == "me"
    folder.rename(folder.with_name(".me.01234567.old"))
    assert [entry.name for entry in list_enrolled()] == ["me"]
