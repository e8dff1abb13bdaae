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


class _OneThread:
    """How many callers want it now; the settings are those of the process."""

    def __init__(self) -> None:
        self.lock, self.callers, self.limits = threading.Lock(), 0, contextlib.ExitStack()
        if hasattr(os, "register_at_fork"):  # a child must not find it locked
            free = self.lock.release
            os.register_at_fork(before=self.lock.acquire, after_in_parent=free, after_in_child=free)

    def enter(self) -> None:
        with self.lock:
            self.callers += 1
            if self.callers == 1:
                self.limits.callback(cv2.setNumThreads, cv2.getNumThreads())
                cv2.setNumThreads(1)
                _apart(self._limit_blas)

    def leave(self) -> None:
        with self.lock:
            self.callers -= 1
            if not self.callers:
                _apart(self.limits.close)

    def _limit_blas(self) -> None:
        self.limits.enter_context(_libraries().limit(limits=1, user_api="blas"))


def _apart(function: Callable[[], None]) -> None:
    """In a thread of its own: while the one that limited BLAS lives, no other may end that."""
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
    _ONE_THREAD.enter()
    try:
        yield
    finally:
        _ONE_THREAD.leave()
