"""Standard error kept quiet while a library starts that cannot be told to be."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["silent_stderr"]


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Throw away what is written to descriptor 2, by C++ too.

    TensorFlow's C++ part writes notices there whatever its log level says.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
