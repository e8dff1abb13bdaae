"""Many pictures to many crops: threads, bounded memory, results in order."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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


@contextlib.contextmanager
def one_cv2_thread() -> Iterator[None]:
    """A pool already uses every core: OpenCV's own threads would only compete."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
