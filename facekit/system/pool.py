"""Many pictures to many crops: threads, bounded memory, results in order."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar
from weakref import WeakSet

import cv2

T = TypeVar("T")
R = TypeVar("R")


def cores() -> int:
    """Processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # what a container or a batch system leaves it
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_in_order(function: Callable[[T], R], items: Iterable[T], workers: int) -> Generator[R]:
    """Like ``map`` in threads, reading only a few items ahead.

    Args:
        function: Called in a thread for every item; OpenCV and NumPy release
            the interpreter's lock where it matters.
        items: Read from the caller's thread, as results are taken.
        workers: Threads, in [1, inf).

    Yields:
        The results in the order of the items.
    """
    pending: deque[Future[R]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="crops")
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= 8 * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Caller:
    """Somebody who wants one thread; gone with the block that wanted it, however that ended."""

    def __init__(self) -> None:
        self.thread = threading.get_ident()


class _OneThread:
    """Who wants it now; the settings are those of the process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.callers: WeakSet[_Caller] = WeakSet()
        self.limits: contextlib.ExitStack | None = None
        if hasattr(os, "register_at_fork"):  # a child must not find it locked
            os.register_at_fork(
                before=self.lock.acquire,
                after_in_parent=self.lock.release,
                after_in_child=self._go_on_alone,
            )

    def _go_on_alone(self) -> None:
        """In a child: of the parent's threads it has only the one that forked."""
        mine = threading.get_ident()
        self.callers = WeakSet(one for one in self.callers if one.thread == mine)
        self.lock.release()

    def enter(self, caller: _Caller) -> None:
        with self.lock:
            self.callers.add(caller)
            limited = self.limits is not None
        if not limited:
            _apart(self._settle)

    def leave(self, caller: _Caller) -> None:
        with self.lock:
            self.callers.discard(caller)
            wanted = bool(self.callers)
        if not wanted:
            _apart(self._settle)

    def _settle(self) -> None:
        """Bring the settings to what is wanted now; done twice it changes nothing."""
        with self.lock:
            if self.callers and self.limits is None:
                self.limits = contextlib.ExitStack()
                self.limits.callback(cv2.setNumThreads, cv2.getNumThreads())
                cv2.setNumThreads(1)
                self.limits.enter_context(_libraries().limit(limits=1, user_api="blas"))
            elif not self.callers and self.limits is not None:
                self.limits.close()
                self.limits = None


def _apart(function: Callable[[], None]) -> None:
    """In a thread of its own: while the one that limited BLAS lives, no other may end that."""
    try:
        _run_apart(function)
    except KeyboardInterrupt:  # perhaps before it had begun
        _run_apart(function)
        raise


def _run_apart(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


_ONE_THREAD: Final = _OneThread()


@functools.cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController  # late: it looks at every open library

    return ThreadpoolController()


@contextlib.contextmanager
def one_library_thread() -> Iterator[None]:
    """One thread for OpenCV and for BLAS: a pool or ONNX Runtime already uses every core.

    Their own threads would only compete, and BLAS's spin while they wait. What was set
    before comes back when the last of those that are inside, in any thread, leaves.
    """
    caller = _Caller()
    try:
        _ONE_THREAD.enter(caller)
        yield
    finally:
        _ONE_THREAD.leave(caller)
