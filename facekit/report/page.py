"""The shell of a report page: one HTML file that needs nothing else.

Style and pictures are inside, there are no scripts, and a content policy
forbids the page to load anything. Everything handed in is escaped, except the
SVG and HTML made by this package.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

import cv2
import numpy as np

from facekit.arrays import UInt8
from facekit.evaluation.intervals import Interval
from facekit.system.files import write_atomically

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_JPEG_QUALITY = 88


@dataclass(frozen=True)
class Section:
    """A titled part of a page.

    Attributes:
        title: Heading.
        lead: One or two sentences of plain text below it.
        body: HTML made by the functions of this module.
    """

    title: str
    lead: str
    body: str


@dataclass(frozen=True)
class Tile:
    """A headline number.

    Attributes:
        title: What it is.
        value: The number as text.
        notes: Lines of text below it.
        mark: SVG between number and notes, or empty.
    """

    title: str
    value: str
    notes: Sequence[str]
    mark: str = ""


@dataclass(frozen=True)
class Thumbnail:
    """A picture with its caption.

    Attributes:
        crop: uint8 RGB array of shape (height, width, 3).
        title: First line.
        notes: Further lines.
    """

    crop: UInt8
    title: str
    notes: Sequence[str] = ()


def document(title: str, subtitle: str, sections: Sequence[Section], footer: str = "") -> str:
    """A whole page.

    Args:
        title: Heading and title of the page.
        subtitle: One line of text below it.
        sections: From top to bottom; one without a title stands on the page
            itself, without a frame.
        footer: Last line of text.

    Returns:
        HTML.
    """
    style = files("facekit.report").joinpath("page.css").read_text(encoding="utf-8")
    parts = [_section(section) for section in sections]
    end = f"<footer>{escape(footer)}</footer>" if footer else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="robots" content="noindex">\n'
        f"<title>{escape(title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(title)}</h1><p>{escape(subtitle)}</p></header>\n"
        f"{''.join(parts)}{end}\n</main>\n</body>\n</html>\n"
    )


def write_page(path: Path, html: str) -> None:
    """Write a page; whole or not at all.

    Args:
        path: Target; its folder exists.
        html: From `document`.
    """
    write_atomically(path, html)


def tiles(items: Sequence[Tile]) -> str:
    """Headline numbers side by side."""
    out = []
    for item in items:
        notes = "".join(f"<span>{escape(note)}</span>" for note in item.notes)
        head = f"<h3>{escape(item.title)}</h3><strong>{escape(item.value)}</strong>"
        out.append(f'<div class="tile">{head}{item.mark}{notes}</div>')
    return f'<div class="tiles">{"".join(out)}</div>'


def figure(svg: str, title: str = "", wide: bool = False) -> str:
    """A plot with its title; ``wide`` lets a small screen scroll sideways."""
    kind = ' class="wide scroll"' if wide else ""
    caption = f"<figcaption>{escape(title)}</figcaption>" if title else ""
    return f"<figure{kind}>{caption}{svg}</figure>"


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of text; the first column names the row."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in others)
        lines.append(f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>')
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def pairs(items: Mapping[str, str]) -> str:
    """Names and values, one below the other."""
    rows = (f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in items.items())
    return f"<dl>{''.join(rows)}</dl>"


def preformatted(text: str) -> str:
    """Text with its own line breaks, such as a recipe or a command."""
    return f"<pre>{escape(text)}</pre>"


def thumbnails(items: Sequence[Thumbnail]) -> str:
    """Pictures in a grid, stored inside the page as JPEG."""
    out = []
    for item in items:
        notes = "".join(f"<div>{escape(note)}</div>" for note in item.notes)
        image = f'<img src="{_data_address(item.crop)}" alt="{escape(item.title, quote=True)}">'
        out.append(f"<figure>{image}<b>{escape(item.title)}</b>{notes}</figure>")
    return f'<div class="faces">{"".join(out)}</div>'


def strips(items: Sequence[Thumbnail]) -> str:
    """Pictures of any width in wide columns: several crops that belong together."""
    return thumbnails(items).replace('class="faces"', 'class="faces strips"', 1)


def picture(image: UInt8, title: str) -> str:
    """One uint8 RGB picture as wide as the page lets it be, stored inside as JPEG."""
    address, words = _data_address(image), escape(title, quote=True)
    return f'<figure class="picture"><img src="{address}" alt="{words}"></figure>'


def _section(section: Section) -> str:
    if not section.title:
        return f'<section class="open">{section.body}</section>\n'
    lead = f'<p class="lead">{escape(section.lead)}</p>' if section.lead else ""
    return f"<section><h2>{escape(section.title)}</h2>{lead}{section.body}</section>\n"


def _data_address(crop: UInt8) -> str:
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3:
        raise ValueError(f"a thumbnail is uint8 (h, w, 3), got {crop.dtype} {crop.shape}")
    quality = [int(cv2.IMWRITE_JPEG_QUALITY), _JPEG_QUALITY]
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(crop[..., ::-1]), quality)
    if not done:
        raise ValueError(f"a thumbnail of {crop.shape} cannot be written as JPEG")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")


# The last sections of a page: where its numbers come from.


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


# Numbers as the short texts of a table, and a table in Markdown.


def percent(value: float, digits: int = 1, unit: str = " %") -> str:
    """A share in [0, 1] in percent; "none" where there is none."""
    return "none" if math.isnan(value) else f"{100 * value:.{digits}f}{unit}"


def percent_text(value: float | None) -> str:
    """A share in [0, 1] in percent; a dash where there is none."""
    return "-" if value is None else f"{100 * value:.1f}"


def range_text(interval: Interval | None) -> str:
    """An interval of shares in percent."""
    return "-" if interval is None else f"{100 * interval[0]:.1f}-{100 * interval[1]:.1f}"


def count_text(number: int) -> str:
    """Three digits and k or M."""
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if number >= size:
            return (
                f"{number / size:.3g} {unit}"
                if number < 1000 * size
                else f"{number / size:,.0f} {unit}"
            )
    return str(number)


def time_text(seconds: float | None) -> str:
    """Seconds, minutes or hours."""
    if seconds is None:
        return "-"
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def markdown_rows(columns: Sequence[str], rows: Sequence[Sequence[str]], *, words: int) -> str:
    """A table in Markdown that ends with a line break.

    Args:
        columns: Heads.
        rows: Cells; line breaks and bars in them do no harm.
        words: So many columns from the left are words, the others numbers.
    """
    rule = [*["---"] * words, *["---:"] * (len(columns) - words)]
    lines = [columns, rule, *rows]
    return "".join(f"| {' | '.join(_cell(text) for text in row)} |\n" for row in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
