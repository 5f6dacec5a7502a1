"""What the pipeline's steps leave one another in the bucket: the plan of a version's chunks, its batches, their vectors.

work/{tenant}/{document}/{version}/chunks-001.json    an attempt's plan: model, its batches by name, number of chunks
work/{tenant}/{document}/{version}/batch-{name}.json   some of the chunks, named by what they say
work/{tenant}/{document}/{version}/batch-{name}.bin    vectors, named by the content they belong to

Batches of other chunks have other names: whatever else is written meanwhile, what a plan names is what was planned.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import batched
from typing import Any, Final, Self

from atrium.documents.chunking import embedding_input
from atrium.providers.base import Vectors

# magic, count, dimensions, SHA-256 of the content
_HEADER: Final = struct.Struct("<4sII32s")
_MAGIC: Final = b"AVB1"
# Of plans and batches. Another number when either is written otherwise: what is in flight is then planned again.
_FORMAT: Final = 2


class Unreadable(Exception):
    """What a step left is not there, or another release wrote it."""


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
        """A batch that `to_json` wrote. `Unreadable` for anything else."""
        with _shape():
            raw: dict[str, Any] = json.loads(data)
            return cls(raw["model"], tuple(_planned(row) for row in raw["chunks"]))


_FIELDS: Final = PlannedChunk.__slots__


def _planned(row: list[Any]) -> PlannedChunk:
    values = dict(zip(_FIELDS, row, strict=True))
    return PlannedChunk(**values | {"page_starts": tuple(values["page_starts"])})


@dataclass(frozen=True, slots=True)
class Plan:
    """How many chunks a version has, in which batches, and for which model; written after its batches."""

    model: str
    batches: tuple[str, ...]
    chunks: int

    def to_json(self) -> bytes:
        """The inverse of `from_json`."""
        content = {"format": _FORMAT, "model": self.model, "batches": self.batches, "chunks": self.chunks}
        return json.dumps(content).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """A plan that `to_json` wrote. `Unreadable` for anything else, such as another release's."""
        with _shape():
            raw: dict[str, Any] = json.loads(data)
            if raw["format"] != _FORMAT:
                raise ValueError(f"its format is {raw['format']}")
            return cls(raw["model"], tuple(raw["batches"]), raw["chunks"])


@contextmanager
def _shape() -> Iterator[None]:
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"not as it is written now: {error!r}") from error


def split(model: str, chunks: Sequence[PlannedChunk], size: int) -> Iterator[Batch]:
    """The chunks in batches of `size`, in order."""
    for batch in batched(chunks, size, strict=False):
        yield Batch(model, batch)


def batch_name(data: bytes) -> str:
    """What a batch is called that was written so."""
    return hashlib.sha256(data).hexdigest()


def batch_key(prefix: str, name: str) -> str:
    """Where the batch of that name lies."""
    return f"{prefix}batch-{name}.json"


def vectors_key(prefix: str, batch: Batch) -> str:
    """Where the vectors of a batch lie: other attempts find them there, as long as the model is given the same."""
    return f"{prefix}batch-{batch.content_hash.hex()}.bin"


def plan_key(prefix: str, attempt: int) -> str:
    """Where the attempt's plan lies."""
    return f"{prefix}chunks-{attempt:03d}.json"


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
