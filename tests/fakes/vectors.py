"""Vectors as plain lists, for assertions."""

import math
import struct
from collections.abc import Sequence

from atrium.providers.base import Vectors


def rows(vectors: Vectors) -> list[tuple[float, ...]]:
    """One tuple per vector."""
    return list(struct.iter_unpack(f"<{vectors.dimensions}f", vectors.data))


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """1 for the same direction."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))
