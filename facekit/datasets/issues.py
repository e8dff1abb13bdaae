"""Say what is wrong with a source: one line for errors, a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from facekit.datasets.table import Issues

__all__ = ["issues_line", "issues_table", "undecodable_line"]

_EXAMPLES = 3


def issues_line(issues: Issues, total: int) -> str:
    """What keeps a source from being used, in one line.

    Args:
        issues: What was found.
        total: How many images were asked for.

    Returns:
        Such as ``"2 of 1,000 images cannot be used: 1 missing (000004.jpg), 1
        unreadable (000007.jpg)"``; "" when nothing is wrong.
    """
    kinds = [("missing", issues.missing), ("unreadable", issues.unreadable)]
    parts = [f"{len(ids):,} {kind} ({_examples(ids)})" for kind, ids in kinds if ids]
    if not parts:
        return ""
    return f"{issues.blocking:,} of {total:,} images cannot be used: {', '.join(parts)}"


def issues_table(issues: Issues) -> str:
    """Kinds, counts and examples as a plain table.

    Args:
        issues: What was found.

    Returns:
        A header and three rows (a fourth where labels are no class), no trailing
        line break.
    """
    rows = [
        ("missing", "listed, not on disk", issues.missing),
        ("unreadable", "empty or no picture", issues.unreadable),
        ("unlisted", "on disk, not listed", issues.unlisted),
    ]
    if issues.mislabelled:
        rows.append(("mislabelled", "label is no class", issues.mislabelled))
    lines = [f"{'kind':<12}{'meaning':<21}{'images':>9}  examples"]
    for kind, meaning, ids in rows:
        line = f"{kind:<12}{meaning:<21}{len(ids):>9,}  {_examples(ids)}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def undecodable_line(errors: Mapping[str, str], ids: Sequence[str], total: int) -> str:
    """Which images passed the first check and still are no pictures, in one line.

    Args:
        errors: Why, by id.
        ids: Which, in the order of the source.
        total: How many images were asked for.

    Returns:
        Such as ``"1 of 1,000 images cannot be used (000004.jpg: it is cut off)"``.
    """
    told = [f"{name}: {errors[name]}" if name in errors else name for name in ids[:_EXAMPLES]]
    more = "; …" if len(ids) > _EXAMPLES else ""
    return f"{len(ids):,} of {total:,} images cannot be used ({'; '.join(told)}{more})"


def _examples(ids: tuple[str, ...]) -> str:
    more = ", …" if len(ids) > _EXAMPLES else ""
    return ", ".join(ids[:_EXAMPLES]) + more
