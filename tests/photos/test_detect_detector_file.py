"""YuNet's file: pinned, added, fetched."""

from __future__ import annotations

import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from facekit.errors import UsageError
from facekit.photos import detect as detector_file
from facekit.photos.detect import add_detector, fetch_yunet, read_yunet, yunet_path


@pytest.fixture(autouse=True)
def _pinned(facekit_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.setattr(detector_file, "YUNET_SHA256", digest)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[str]:
    """A web server on this machine; its files lie in ``tmp_path/site``."""
    folder = tmp_path / "site"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(Quiet, directory=folder)
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_add_copies_the_pinned_file(tmp_path: Path, facekit_home: Path) -> None:
    (tmp_path / "downloaded.onnx").write_bytes(b"weights")
    assert add_detector(tmp_path / "downloaded.onnx") == yunet_path()
    assert yunet_path().is_relative_to(facekit_home)
    assert read_yunet() == b"weights"
    assert [path.name for path in yunet_path().parent.iterdir()] == [detector_file.YUNET_FILE]


def test_add_refuses_anything_else(tmp_path: Path) -> None:
    (tmp_path / "other.onnx").write_bytes(b"other")
    with pytest.raises(UsageError, match=r"other\.onnx is not the pinned .*--detector FILE"):
        add_detector(tmp_path / "other.onnx")
    with pytest.raises(UsageError, match=r"none\.onnx cannot be read"):
        add_detector(tmp_path / "none.onnx")
    with pytest.raises(UsageError, match="cannot be read"):
        add_detector(tmp_path)
    assert not yunet_path().exists()


def test_fetch_takes_the_first_place_that_has_it(site: str, tmp_path: Path) -> None:
    (tmp_path / "site" / "good").write_bytes(b"weights")
    (tmp_path / "site" / "bad").write_bytes(b"an error page")
    urls = [f"{site}/missing", f"{site}/bad", f"{site}/good"]
    assert fetch_yunet(urls) == yunet_path()
    assert read_yunet() == b"weights"


def test_fetch_never_keeps_another_file(site: str, tmp_path: Path) -> None:
    (tmp_path / "site" / "bad").write_bytes(b"an error page")
    with pytest.raises(UsageError, match=r"sent another file.*models add FILE"):
        fetch_yunet([f"{site}/bad"])
    assert not yunet_path().exists()


def test_fetch_offline_is_one_clear_line(site: str) -> None:
    closed = "http://127.0.0.1:9/yunet"  # the discard port: nobody listens
    with pytest.raises(UsageError) as caught:
        fetch_yunet([closed, f"{site}/missing"], timeout=5)
    message = str(caught.value)
    assert "\n" not in message
    assert "refused" in message
    assert "File not found" in message
    assert "models add FILE" in message


def test_the_public_homes_are_encrypted_and_named() -> None:
    assert detector_file.YUNET_URLS[0].startswith("https://github.com/opencv/opencv_zoo/")
    for url in detector_file.YUNET_URLS:
        assert url.startswith("https://")
        assert url.endswith(detector_file.YUNET_FILE)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "file"))
    (tmp_path / "downloaded.onnx").write_bytes(b"weights")
    with pytest.raises(UsageError, match="cannot be written"):
        add_detector(tmp_path / "downloaded.onnx")
