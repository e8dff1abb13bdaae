"""Colors: RGB, 0 to 255, mixed and shaded."""

from __future__ import annotations

__all__ = ["Color", "mix", "shade"]

Color = tuple[float, float, float]


def mix(one: Color, other: Color, share: float) -> Color:
    """Blend two colors; share 0 is the first, 1 the second."""
    a, b, c = (x + (y - x) * share for x, y in zip(one, other, strict=True))
    return a, b, c


def shade(color: Color, factor: float) -> Color:
    """Darker (below 1) or lighter (above 1, half way to white at 1.5)."""
    if factor > 1:
        return mix(color, (255.0, 255.0, 255.0), factor - 1)
    a, b, c = (channel * factor for channel in color)
    return a, b, c
