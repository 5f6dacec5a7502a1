"""Values that a repository has already written in their type's binary format."""

from dataclasses import dataclass

from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format


@dataclass(frozen=True, slots=True)
class Binary:
    """Bytes that Postgres receives as they are; the query says of which type: `%(vector)b::halfvec`."""

    data: bytes


class BinaryDumper(Dumper):
    """Sends a `Binary`."""

    format = Format.BINARY

    def dump(self, obj: Binary) -> Buffer:
        """The bytes."""
        return obj.data
