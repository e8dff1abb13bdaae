"""Ordered results, bounded reading ahead, no threads left over."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import cv2
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from facekit.system import pool
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


def blas() -> list[int]:
    return [one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"]


@pytest.fixture
def three_threads() -> Iterator[list[int]]:
    """OpenCV's number is three; what BLAS has is given."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(3)
    yield blas()
    cv2.setNumThreads(before)


def test_the_numbers_of_threads_come_back(three_threads: list[int]) -> None:
    with pytest.raises(RuntimeError), one_library_thread():
        assert cv2.getNumThreads() == 1
        assert set(blas()) == {1}
        raise RuntimeError
    assert cv2.getNumThreads() == 3
    assert blas() == three_threads


def test_a_limit_of_the_callers_own_comes_back(three_threads: list[int]) -> None:
    with threadpool_limits(3, user_api="blas"):
        limited = blas()
        with one_library_thread():
            pass
        assert blas() == limited
    assert blas() == three_threads
    with one_library_thread(), threadpool_limits(3, user_api="blas"):
        assert blas() == limited  # and a narrower part may have more
    assert blas() == three_threads


def test_they_come_back_with_the_last_of_several_threads(three_threads: list[int]) -> None:
    first, last = one_library_thread(), one_library_thread()
    for step, now in ((first.__enter__, 1), (last.__enter__, 1)):
        step()
        assert cv2.getNumThreads() == now
    for context, now in ((first, 1), (last, 3)):  # not the way they nest: two threads
        worker = threading.Thread(target=context.__exit__, args=(None, None, None))
        worker.start()
        worker.join()
        assert cv2.getNumThreads() == now
    assert blas() == three_threads


@pytest.mark.parametrize("stopped", [0, 1])
def test_who_is_stopped_at_either_end_holds_nothing(
    three_threads: list[int], monkeypatch: pytest.MonkeyPatch, stopped: int
) -> None:
    real, calls = pool._run_apart, 0

    def interrupted(function: object) -> None:
        nonlocal calls
        calls += 1
        if calls == stopped + 1:
            raise KeyboardInterrupt
        real(function)  # type: ignore[arg-type]

    monkeypatch.setattr(pool, "_run_apart", interrupted)
    with pytest.raises(KeyboardInterrupt), one_library_thread():
        pass
    assert cv2.getNumThreads() == 3
    assert blas() == three_threads
    with one_library_thread():
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == 3


def test_who_is_stopped_at_the_lock_holds_nothing(
    three_threads: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt), one_library_thread():
        patch.setattr(pool._OneThread, "leave", interrupted)
    with one_library_thread():
        pass
    assert cv2.getNumThreads() == 3
    assert blas() == three_threads


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only POSIX forks")
def test_a_child_does_not_wait_for_threads_of_its_parent() -> None:
    code = """
import os, threading, warnings, cv2
from facekit.system.pool import one_library_thread
warnings.simplefilter("ignore")
cv2.setNumThreads(3)
inside, done = threading.Event(), threading.Event()

def other():
    with one_library_thread():
        inside.set()
        done.wait()

thread = threading.Thread(target=other)
thread.start()
inside.wait()
with one_library_thread():
    child = os.fork()
if not child:
    print(cv2.getNumThreads(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
done.set()
thread.join()
print(cv2.getNumThreads())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["3", "3"], done.stderr
