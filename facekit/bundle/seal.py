"""JSON that carries the hash of its own text, as manifests do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["seal", "unseal"]

#: Stands for the hash while that hash is computed.
_BLANK: Final = "0" * 64


def seal(record: Mapping[str, Any]) -> str:
    """The text of a record; its last key, "sha256", is the hash of all the rest.

    Args:
        record: JSON values, without that key.

    Returns:
        JSON, UTF-8, ending with a line break.
    """
    text = json.dumps({**record, "sha256": _BLANK}, indent=1, ensure_ascii=False, allow_nan=False)
    text += "\n"
    digest = hashlib.sha256(text.encode()).hexdigest()
    return digest.join(text.rsplit(_BLANK, 1))


def unseal(data: bytes) -> tuple[dict[str, Any], bool]:
    """Read what ``seal`` wrote.

    Args:
        data: The file's bytes.

    Returns:
        The record without its hash, and whether the hash fits.

    Raises:
        ValueError: It is no JSON object.
    """
    try:
        record, plain = json.loads(data), data.decode()
        digest = record.pop("sha256", "")
    except (AttributeError, TypeError, RecursionError) as error:
        raise ValueError("no JSON object") from error
    blank = _BLANK.join(plain.rsplit(str(digest), 1)) if digest else plain
    return record, hashlib.sha256(blank.encode()).hexdigest() == digest
