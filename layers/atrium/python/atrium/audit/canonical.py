"""The bytes that are hashed of an entry, written without Postgres: the chain is verified by other code than sealed it.

An entry's canonical text is one JSON object with the members `at`, `id`, `actor`, `action`, `detail`, `target`, `tenant_id` and
`request_id`, in UTF-8 and as jsonb writes it: members ordered by the length of their names in bytes, then by those bytes; `, `
and `: ` between; of characters only quotation marks, backslashes and those below U+0020 escaped; numbers with the digits they
were stored with. `at` is RFC 3339 in UTC with six digits of a second. As the text is JSON that nothing was left out of, two
entries that differ have different texts.

An entry's hash is SHA-256 over the 32 bytes of the hash before it (zeros before the first) and that text.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring  # what ensure_ascii=False uses, in C where it can be
from typing import Final

GENESIS: Final = bytes(32)
"""The hash before the first entry."""
MEMBERS: Final = ("at", "id", "actor", "action", "detail", "target", "tenant_id", "request_id")


class _Number(str):
    """A number of JSON with the digits it has."""

    __slots__ = ()


def instant(moment: datetime) -> str:
    """`2026-11-20T09:52:10.123456Z`."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def parse(text: str) -> object:
    """JSON as Python has it, but that numbers keep their digits: what `canonical` renders again."""
    value: object = json.loads(text, parse_int=_Number, parse_float=_Number)
    return value


def canonical(value: object) -> str:
    """The canonical text of a JSON value (as `parse` gives it; integers may be Python's)."""
    match value:
        case None | True | False:
            return json.dumps(value)
        case _Number() | int():
            return str(value)
        case str():
            return str(encode_basestring(value))
        case Mapping():
            members = sorted(value.items(), key=lambda member: (len(member[0].encode()), member[0].encode()))
            return "{" + ", ".join(f"{encode_basestring(name)}: {canonical(each)}" for name, each in members) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(canonical, value)) + "]"
    raise TypeError(f"{type(value).__name__} is not of an audit entry")


def chained(previous: bytes, entry: Mapping[str, object]) -> bytes:
    """The hash of `entry` (its eight members) after the hash `previous`."""
    return sha256(previous + canonical(entry).encode()).digest()
