"""What the pipeline's steps leave one another in the bucket: the plan of a version's chunks, its batches, their vectors.

work/{tenant}/{document}/{version}/chunks.json        the plan: model, number of batches, number of chunks
work/{tenant}/{document}/{version}/batch-00000.json   some of the chunks
work/{tenant}/{document}/{version}/batch-00000.bin    their vectors, and which content they belong to
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final, Self

from atrium.documents.chunking import embedding_input
from atrium.providers.base import Vectors

# magic, count, dimensions, SHA-256 of the content
_HEADER: Final = struct.Struct("<4sII32s")
_MAGIC: Final = b"AVB1"


@dataclass(frozen=True, slots=True)
class PlannedChunk:
    """A chunk on its way to the index. `header` is embedded before its text."""

    ordinal: int
    page_from: int | None
    page_to: int | None
    char_start: int
    char_end: int
    heading: str
    language: str
    text: str
    page_starts: tuple[int, ...] = ()
    header: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """Chunks that are embedded by one call, for one model."""

    model: str
    chunks: tuple[PlannedChunk, ...] = field(repr=False)

    @property
    def inputs(self) -> list[str]:
        """What the model sees of each chunk."""
        return [embedding_input(chunk.header, chunk.text) for chunk in self.chunks]

    @property
    def content_hash(self) -> bytes:
        """SHA-256 of the model and what it is given: vectors of the same hash need not be made again."""
        content = json.dumps([self.model, self.inputs], separators=(",", ":"))
        return hashlib.sha256(content.encode()).digest()

    def to_json(self) -> bytes:
        """The inverse of `from_json`."""
        rows = [[getattr(chunk, name) for name in _FIELDS] for chunk in self.chunks]
        content = {"model": self.model, "chunks": rows}
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """A batch that `to_json` wrote."""
        raw: dict[str, Any] = json.loads(data)
        return cls(raw["model"], tuple(_planned(row) for row in raw["chunks"]))


_FIELDS: Final = PlannedChunk.__slots__


def _planned(row: list[Any]) -> PlannedChunk:
    values = dict(zip(_FIELDS, row, strict=True))
    return PlannedChunk(**values | {"page_starts": tuple(values["page_starts"])})


@dataclass(frozen=True, slots=True)
class Plan:
    """How many chunks and batches a version has, and for which model; written after its batches."""

    model: str
    batches: int
    chunks: int

    def to_json(self) -> bytes:
        """The inverse of `from_json`."""
        return json.dumps({"model": self.model, "batches": self.batches, "chunks": self.chunks}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """A plan that `to_json` wrote."""
        return cls(**json.loads(data))


def split(model: str, chunks: Sequence[PlannedChunk], size: int) -> Iterator[Batch]:
    """The chunks in batches of `size`, in order."""
    for batch in batched(chunks, size, strict=False):
        yield Batch(model, batch)


def batch_key(prefix: str, number: int) -> str:
    """Where batch `number` lies."""
    return f"{prefix}batch-{number:05d}.json"


def vectors_key(prefix: str, number: int) -> str:
    """Where the vectors of batch `number` lie."""
    return f"{prefix}batch-{number:05d}.bin"


def plan_key(prefix: str) -> str:
    """Where the plan lies."""
    return f"{prefix}chunks.json"


def pack_vectors(batch: Batch, vectors: Vectors) -> bytes:
    """The vectors behind a header that says which content they are of."""
    return _HEADER.pack(_MAGIC, vectors.count, vectors.dimensions, batch.content_hash) + vectors.data


def unpack_vectors(batch: Batch, data: bytes) -> Vectors | None:
    """The batch's vectors; None when these are of other content, or cut off."""
    if len(data) < _HEADER.size:
        return None
    magic, count, dimensions, content_hash = _HEADER.unpack_from(data)
    body = data[_HEADER.size :]
    whole = magic == _MAGIC and count == len(batch.chunks) and len(body) == count * dimensions * 4
    return Vectors(count, dimensions, body) if whole and content_hash == batch.content_hash else None


def join_vectors(parts: Sequence[Vectors]) -> Vectors:
    """All batches' vectors, in order; one length."""
    return Vectors(sum(part.count for part in parts), parts[0].dimensions, b"".join(part.data for part in parts))
