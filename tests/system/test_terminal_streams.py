"""Standard streams that are closed or narrow, and text that no terminal may obey."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from facekit.system.terminal import printable, show_messages, tell

posix = pytest.mark.skipif(os.name != "posix", reason="closed descriptors are tried on POSIX")
SAY = "print('\\u5199\\u771f \\u202e \\udcff'); tell('\\u5199\\x1b[31m'); print(err.encoding and 1)"
CODE = f"""
import sys
from facekit.system.terminal import open_streams, show_messages, tell
open_streams(); show_messages(); err = sys.stderr
{SAY}
"""


def ran(*, closed: tuple[int, ...] = (), encoding: str = "utf-8") -> tuple[int, str, str]:
    def close() -> None:
        for number in closed:
            os.close(number)

    before: Callable[[], None] | None = close if closed else None
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        preexec_fn=before,
        timeout=60,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_letters_that_a_stream_lacks_are_escaped(encoding: str) -> None:
    code, out, err = ran(encoding=encoding)
    assert code == 0, err
    assert out.startswith(r"\u5199\u771f \u202e \udcff")
    assert err == "\\u5199\\x1b[31m\n"


@posix
@pytest.mark.parametrize("closed", [(1,), (2,), (0, 1), (0, 1, 2)])
def test_closed_streams_end_quietly(closed: tuple[int, ...]) -> None:
    code, _, err = ran(closed=closed)
    assert code == 0, err
    assert "Traceback" not in err


@posix
def test_no_file_gets_the_number_of_a_closed_stream() -> None:
    code = "import os; from facekit.system.terminal import open_streams; open_streams(); "
    code += "raise SystemExit(os.open(os.devnull, os.O_RDONLY))"
    done = subprocess.run([sys.executable, "-c", code], preexec_fn=lambda: os.closerange(0, 3))
    assert done.returncode > 2


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\udcff.jpg", r"\udcff.jpg"),
        ("a\x07\r", r"a\x07\r"),
        ("写真\n\tcafé", "写真\n\tcafé"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_messages_are_printable(capsys: pytest.CaptureFixture[str]) -> None:
    show_messages()
    tell("class \x1b]0;title\x07 is left out")
    assert capsys.readouterr().err == "class \\x1b]0;title\\x07 is left out\n"
