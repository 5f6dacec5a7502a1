"""float32 vectors to Postgres's binary halfvec: big-endian half floats, without numpy (the publish function has none)."""

import struct
from collections.abc import Iterator

from atrium.db.binary import Binary
from atrium.kernel.errors import InvalidInput
from atrium.providers.base import Vectors


def encode_all(vectors: Vectors) -> Iterator[bytes]:
    """Each row as one halfvec. InvalidInput when the bytes are not count × dimensions float32 or leave the half float's range."""
    size = 4 * vectors.dimensions
    if len(vectors.data) != size * vectors.count:
        raise InvalidInput(f"{len(vectors.data)} bytes are not {vectors.count} vectors of length {vectors.dimensions}.")
    floats = struct.Struct(f"<{vectors.dimensions}f")
    halves = struct.Struct(f">HH{vectors.dimensions}e")
    for row in floats.iter_unpack(vectors.data):
        try:
            yield halves.pack(vectors.dimensions, 0, *row)
        except OverflowError as error:
            raise InvalidInput("A vector leaves the range of half floats.") from error


def binary_array(element_oid: int, items: list[bytes]) -> Binary:
    """A one-dimensional array without nulls in Postgres's binary format."""
    parts = [struct.pack(">iiIii", 1, 0, element_oid, len(items), 1)]
    for item in items:
        parts.append(len(item).to_bytes(4))
        parts.append(item)
    return Binary(b"".join(parts))
