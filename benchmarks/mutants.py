"""Broken files: what is damaged, and how; the same seed gives the same bytes."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

#: Numbers at which sizes, counts and offsets go wrong.
_EDGES: Final = (
    *(0, 1, 2, 3, 7, 8, 15, 16, 127, 128, 255, 256, 4095, 4096, 16383, 16384, 32767, 32768),
    *(65534, 65535, 65536, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF),
)
#: Words at which readers of text go wrong.
_WORDS: Final = (
    *("NaN", "-Infinity", "1e999", "-1", "", '"', "'", "null", "true", "\0", "\ufeff", "\r", ",,,"),
    *("9" * 400, "9" * 5000, "[" * 3000, "{" * 3000, "a." * 3000, "x" * 70_000, "=", ";", "\t"),
    *("\u202e", "é", "0x", "1_0", "../../x", "%s", "\x1b[31m"),
)

Mutation = Callable[[bytes, Random], bytes]


def mutate(data: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Damage a file in one or two ways that suit its kind.

    Args:
        data: A whole file.
        random: Draws everything.
        others: Files from which pieces may come.
    """
    ways = [_flip, _head, _cut, _insert, _remove, _repeat, _number, _number, _blank]
    if data.startswith(b"\x89PNG"):
        ways += [_chunks] * 5
    elif data.startswith(b"PK"):
        ways += [_members] * 9
    elif data[:64].isascii() and not data.startswith((b"GIF", b"BM", b"II", b"MM", b"RIFF")):
        ways += [_word] * 9
    for _ in range(random.choice((1, 1, 1, 2))):
        if random.random() < 0.06:
            other = random.choice(others)
            data = data[: random.randrange(len(data) + 1)] + other[random.randrange(len(other)) :]
        else:
            data = random.choice(ways)(data or b"\0", random)
    return data


def _place(data: bytes, random: Random, within: Sequence[int] = ()) -> int:
    end = min(len(data), random.choice((*within, len(data))))
    return random.randrange(max(1, end))


def _flip(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 2, 4, 16, 64))):
        out[random.randrange(len(out))] ^= 1 << random.randrange(8)
    return bytes(out)


def _head(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 2, 4, 8))):
        out[_place(data, random, (32, 64, 128, 400))] = random.choice((0, 1, 127, 128, 255))
    return bytes(out)


def _cut(data: bytes, random: Random) -> bytes:
    return data[: _place(data, random, (120,))]


def _insert(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + random.randbytes(random.choice((1, 2, 4, 16, 300))) + data[at:]


def _remove(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    return data[:at] + data[at + random.choice((1, 2, 4, 16, 300, 3000)) :]


def _repeat(data: bytes, random: Random) -> bytes:
    at, to = _place(data, random), _place(data, random)
    piece = data[at : at + random.choice((4, 16, 64, 1000))]
    return data[:to] + piece * random.choice((1, 1, 2, 1000)) + data[to:]


def _number(data: bytes, random: Random) -> bytes:
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3))):
        layout = random.choice(("<H", ">H", "<I", ">I"))
        value = random.choice(_EDGES) & (0xFFFF if layout[1] == "H" else 0xFFFFFFFF)
        at = _place(data, random, (40, 100, 400))
        piece = struct.pack(layout, value)
        out[at : at + len(piece)] = piece
    return bytes(out)


def _blank(data: bytes, random: Random) -> bytes:
    at = _place(data, random)
    length = len(data[at : at + random.choice((16, 500, 4000))])
    return data[:at] + bytes([random.choice((0, 255))]) * length + data[at + length :]


def _word(data: bytes, random: Random) -> bytes:
    """A word or a number of a text becomes an absurd one, or a line comes twice."""
    spans = [found.span() for found in re.finditer(rb"[\w.+-]+|\n[^\n]*", data)] or [(0, 0)]
    start, stop = random.choice(spans)
    if random.random() < 0.2:
        return data[:start] + data[start:stop] * random.choice((0, 2, 500)) + data[stop:]
    return data[:start] + random.choice(_WORDS).encode() + data[stop:]


def _chunks(data: bytes, random: Random) -> bytes:
    """Chunks of a PNG are damaged, moved, doubled or removed; their checksums are right."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    if not chunks:
        return _flip(data, random)
    place = random.randrange(len(chunks))
    kind, body = chunks[place]
    way = random.randrange(5)
    if way == 0:
        chunks[place] = kind, _number(body or b"\0", random)
    elif way == 1:
        chunks.insert(random.randrange(len(chunks) + 1), chunks[place])
    elif way == 2:
        random.shuffle(chunks)
    elif way == 3:
        names = (b"PLTE", b"tRNS", b"eXIf", b"IDAT", b"acTL", b"fcTL", b"iCCP", b"zTXt", b"IHDR")
        made = random.choice(names), random.randbytes(random.choice((0, 1, 13, 26, 768)))
        chunks.insert(random.randrange(len(chunks) + 1), made)
    else:
        chunks[place] = kind, _cut(body + b"ab", random)
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return data[:8] + b"".join(parts)


#: Heads of arrays that do not fit what follows, or are no plain arrays.
_ARRAYS: Final = tuple(
    f"{{'descr': {kind}, 'fortran_order': {order}, 'shape': {shape}, }}".encode()
    for kind, order, shape in (
        ("'<f4'", "False", "(35184372088832,)"), ("'<f4'", "False", "(True, 3)"),
        ("'|O'", "False", "(1,)"), ("'<U0'", "False", "(1152921504606846976,)"),
        ("'<f8'", "True", "(1099511627776, 0)"), ("'<f4'", "False", "(-1,)"),
        ("[('a', '<f4')]", "False", "(1,)"), ("'<f4'", "False", f"({'9' * 500},)"),
        ("'<M8[s]'", "False", "(1,)"), ("'<f4'", "False", "(" * 900 + ")" * 900),
        ("'<V4'", "False", "(1,)"), ("'<c16'", "False", "(2,)"), ("'<f4'", "'\\d'", "(1,)"),
    )
)  # fmt: skip


def _members(data: bytes, random: Random) -> bytes:
    """An array inside an .npz file is damaged; the archive around it is sound."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = random.choice(list(members))
    except Exception:
        return _number(data, random)
    way, body = random.randrange(5), members[name]
    if way == 0:
        head = random.choice(_ARRAYS)
        members[name] = b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head + body[128:]
    elif way == 1:
        members[name] = random.choice((_head, _cut, _number, _remove))(body, random) or b"\0"
    elif way == 2:
        members[random.choice(list(members))] = body
    elif way == 3:
        del members[name]
    packing = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
            if way == 4 and random.random() < 0.2:
                archive.writestr(f"zeros-{name}", bytes(60_000_000), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
