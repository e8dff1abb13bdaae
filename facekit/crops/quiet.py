"""OpenCV's own log lines, kept off standard error."""

from __future__ import annotations

import functools

import cv2

__all__ = ["silence_opencv"]


@functools.cache
def silence_opencv() -> None:
    """Once a process: what goes wrong is our error to report, not a log line."""
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
