"""Ordered results, bounded reading ahead, no threads left over."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import cv2
import pytest

from facekit.system.pool import map_in_order, one_library_thread


def test_results_keep_their_order() -> None:
    def slow_first(value: int) -> int:
        time.sleep(0.002 * (5 - value % 5))
        return value * value

    assert list(map_in_order(slow_first, range(60), 4)) == [i * i for i in range(60)]


def test_only_a_few_items_are_read_ahead() -> None:
    read = 0

    def items() -> Iterator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    results = map_in_order(lambda value: value, items(), 2)
    for taken in range(1, 50):
        next(results)
        assert read <= taken + 16
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("crops")]


def test_an_error_reaches_the_caller_and_ends_the_threads() -> None:
    def fail(value: int) -> int:
        if value == 5:
            raise ZeroDivisionError
        return value

    with pytest.raises(ZeroDivisionError):
        list(map_in_order(fail, range(100), 2))
    assert not [t for t in threading.enumerate() if t.name.startswith("crops")]


def test_the_number_of_opencv_threads_comes_back() -> None:
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    try:
        with pytest.raises(RuntimeError), one_library_thread():
            assert cv2.getNumThreads() == 1
            raise RuntimeError
        assert cv2.getNumThreads() == 3
    finally:
        cv2.setNumThreads(before)
