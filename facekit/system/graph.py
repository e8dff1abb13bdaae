"""An ONNX graph on the processor: how it is opened, also in a forked child."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final
from weakref import WeakSet

from facekit.arrays import AnyArray
from facekit.system.pool import cores

#: ONNX Runtime prints only what ends the process; errors reach us as exceptions.
_FATAL: Final = 4


class Graph:
    """An ONNX file that is open; several threads may run it at once.

    Args:
        model: The file's bytes.
        threads: Threads of one run, in [1, inf), or 0 for one a core.

    Raises:
        Exception: Whatever ONNX Runtime finds wrong; its types share no public base.
    """

    _opened: Any = None

    def __init__(self, model: bytes, *, threads: int = 0) -> None:
        self._model, self._threads = model, threads
        _GRAPHS.add(self)
        self.session()

    def session(self) -> Any:
        """The open graph; a forked child opens it again."""
        opened = self._opened
        if opened is None:
            opened = self._opened = self._open()
        return opened

    def run(self, names: Sequence[str], values: Mapping[str, AnyArray]) -> list[AnyArray]:
        """The outputs with these names, from inputs by name."""
        found: list[AnyArray] = self.session().run(names, values)
        return found

    def _open(self) -> Any:
        # From 1.29 on it looks up a host and leaves a device id in the home folder;
        # this alone prevents it, and only before the first import of the process.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        import onnxruntime as ort  # late: a tenth of a second

        ort.set_default_logger_severity(_FATAL)
        options = ort.SessionOptions()
        options.log_severity_level = _FATAL
        options.intra_op_num_threads = self._threads or cores()
        options.inter_op_num_threads = 1
        # Waiting threads sleep: others decode and detect on the same cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        return ort.InferenceSession(self._model, options, providers=["CPUExecutionProvider"])


#: Those that a child of this process must open again.
_GRAPHS: Final[WeakSet[Graph]] = WeakSet()


def _forget_sessions() -> None:
    """In a child: the threads of a graph stay with the parent, and closing it waits for them."""
    for graph in _GRAPHS:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(graph._opened))  # it is never closed
        graph._opened = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_sessions)
