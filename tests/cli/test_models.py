"""``facekit models``: list, show, add, fetch."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path

import pytest

from facekit.photos import detect as detector_file
from facekit.workflows import models


@pytest.fixture
def public(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facekit_home: Path) -> Path:
    """A file that stands in for YuNet's, and is what any address gives."""
    public = tmp_path / "public.onnx"
    public.write_bytes(b"weights")
    monkeypatch.setattr(detector_file, "YUNET_SHA256", hashlib.sha256(b"weights").hexdigest())
    opened = urllib.request.urlopen
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: opened(public.as_uri()))
    return public


def test_list_says_where_everything_comes_from(run, facekit_home: Path, tiny_bundle: Path) -> None:
    run("models", "add", tiny_bundle)
    rows = {row["name"]: row for row in run("models", "list", "--json").json}
    assert rows["tiny"]["origin"] == "cartoon"
    assert rows["tiny"]["licence"] == "drawn by facekit, no licence needed"
    assert rows["tiny"]["state"] == "ok"
    assert rows["yunet"]["state"] == "absent"
    table = run("models")
    assert table.code == 0
    assert "tiny" in table.out and "yunet" in table.out


def test_show_prints_the_manifest_or_the_card(run, tiny_bundle: Path) -> None:
    assert json.loads(run("models", "show", tiny_bundle).out)["name"] == "tiny"
    assert run("models", "show", tiny_bundle, "--card").out == "# tiny\n"
    assert run("models", "show", "nobody").code == 2


def test_an_added_bundle_is_found_by_name(run, facekit_home: Path, tiny_bundle: Path) -> None:
    answer = run("models", "add", tiny_bundle)
    assert answer.code == 0
    assert Path(answer.out.strip()) == facekit_home / "models" / "tiny"
    assert json.loads(run("models", "show", "tiny").out)["name"] == "tiny"
    again = run("models", "add", tiny_bundle)
    assert again.code == 2
    assert "exists" in again.err


def test_only_what_the_manifest_lists_is_added(
    run, facekit_home: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in tiny_bundle.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("private")
    (copy / "stray.txt").write_text("mine")
    (copy / "link").symlink_to(tmp_path / "secret")
    assert run("models", "add", copy).code == 0
    added = facekit_home / "models" / "tiny"
    files = {path.name: path.read_bytes() for path in added.iterdir()}
    assert files == {path.name: path.read_bytes() for path in tiny_bundle.iterdir()}
    assert [path.name for path in added.parent.iterdir()] == ["tiny"]


def test_a_damaged_bundle_is_not_added(run, facekit_home: Path, tiny_bundle, tmp_path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in tiny_bundle.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "card.md").write_text("altered")
    assert run("models", "add", copy).code == 2
    assert not (facekit_home / "models").exists()


def test_a_known_file_is_added_under_its_own_name(run, public: Path) -> None:
    answer = run("models", "add", public)
    assert answer.code == 0
    assert Path(answer.out.strip()) == detector_file.yunet_path()
    assert detector_file.yunet_path().read_bytes() == b"weights"


def test_what_is_no_model_is_refused(run, public: Path, tmp_path: Path) -> None:
    mine = tmp_path / detector_file.YUNET_FILE
    mine.write_bytes(b"other")
    for path in (mine, tmp_path / "gone", tmp_path):
        answer = run("models", "add", path)
        assert answer.code == 2
        assert answer.err.count("\n") == 1
    assert not detector_file.yunet_path().exists()


def test_fetch_downloads_once(run, public: Path) -> None:
    assert run("models", "fetch", "yunet").code == 0
    assert detector_file.yunet_path().read_bytes() == b"weights"
    public.unlink()
    assert run("models", "fetch", "yunet").code == 0, "it is there: nothing to download"
    detector_file.yunet_path().write_bytes(b"altered")
    assert run("models", "fetch", "yunet").code == 2
    assert "altered" in models.yunet_state()


def test_fetch_refuses_what_is_not_the_pinned_file(run, public: Path) -> None:
    public.write_bytes(b"a page that says sorry")
    answer = run("models", "fetch", "yunet")
    assert answer.code == 2
    assert "models add FILE" in answer.err
    assert not detector_file.yunet_path().exists()


def test_fetch_names_what_there_is(run) -> None:
    answer = run("models", "fetch", "yunett")
    assert answer.code == 2
    assert "did you mean yunet?" in answer.err


def test_the_list_for_people_tells_the_size_of_the_cache(run, facekit_home: Path) -> None:
    crops = facekit_home / "cache" / "crops" / "key"
    crops.mkdir(parents=True)
    (crops / "crops.u8").write_bytes(bytes(1_500_000))
    assert "1.5 MB" in run("models").out
