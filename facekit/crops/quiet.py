"""OpenCV's own log lines, kept off standard error."""

from __future__ import annotations

import functools

import cv2

__all__ = ["silence_opencv"]

_SILENT = 0  # cv::utils::logging::LOG_LEVEL_SILENT


@functools.cache
def silence_opencv() -> None:
    """Once a process: what goes wrong is our error to report, not a log line."""
    old = getattr(cv2, "setLogLevel", None)  # OpenCV 4.12; later it moved
    set_level = old if old is not None else cv2.utils.logging.setLogLevel
    set_level(_SILENT)
