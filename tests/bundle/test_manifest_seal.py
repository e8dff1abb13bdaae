"""JSON that knows its own hash."""

from __future__ import annotations

import contextlib
import json

import pytest

from facekit.bundle.manifest import seal, unseal

RECORD = {"format": 1, "name": "Zoë", "zeros": "0" * 64, "nested": {"x": [1, None, 0.5]}}


def test_what_was_sealed_is_whole() -> None:
    text = seal(RECORD)
    assert list(json.loads(text))[-1] == "sha256"
    assert unseal(text.encode()) == (RECORD, True)
    assert seal(RECORD) == text


def test_every_changed_byte_is_seen() -> None:
    data = seal(RECORD).encode()
    for at in range(len(data)):
        altered = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
        with contextlib.suppress(ValueError):
            assert not unseal(altered)[1], at


@pytest.mark.parametrize("data", [b"", b"[]", b"3", b"null", b'["sha256"]', b"\xff", b"[" * 99_999])
def test_what_is_no_object_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        unseal(data)


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        seal({"x": float("nan")})
