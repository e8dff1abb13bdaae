"""The last sections of a page: where its numbers come from."""

from __future__ import annotations

from collections.abc import Mapping

from facekit.report.page import Section, pairs, preformatted

__all__ = ["origin_sections"]


def origin_sections(command: str, provenance: Mapping[str, str], recipe: str) -> list[Section]:
    """Command, provenance and recipe; what is empty is left out.

    Args:
        command: How to get the numbers again.
        provenance: Names and values: hashes, data, versions.
        recipe: The resolved recipe as text.

    Returns:
        No, one or two sections.
    """
    out = []
    if command or provenance:
        body = preformatted(command) if command else ""
        out.append(Section("Where this comes from", "", body + pairs(provenance)))
    if recipe:
        out.append(Section("Resolved recipe", "", preformatted(recipe)))
    return out
