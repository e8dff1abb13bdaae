"""Standard error while a library starts."""

from __future__ import annotations

import os
import sys

import pytest

from facekit.system.terminal import silent_stderr


def test_what_is_written_inside_is_gone_and_the_rest_is_not(
    capfd: pytest.CaptureFixture[str],
) -> None:
    os.write(2, b"before ")
    with silent_stderr():
        os.write(2, b"noise ")
        sys.stderr.flush()
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_an_error_inside_gives_it_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), silent_stderr():
        raise ValueError("no")
    os.write(2, b"heard")
    assert capfd.readouterr().err == "heard"
