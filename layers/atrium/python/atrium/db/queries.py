"""SQL lives in `queries.sql` beside its repository; this reads it into attributes, once, at import.

A file is a row of blocks: `-- name: insert_document`, a line or more that say what for, then the statement with
`%(named)s` parameters. A literal per cent sign is written `%%`.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, LiteralString

_NAME: Final = re.compile(r"^-- name: *(.*?) *$", re.MULTILINE)
_IDENTIFIER: Final = re.compile(r"[a-z][a-z0-9_]*")
# What psycopg reads: %(name)s, %(name)b (binary), %(name)t (text), or an escaped sign.
_PERCENT: Final = re.compile(r"%(?!%|\([a-z][a-z0-9_]*\)[sbt])")


class QueryFileError(Exception):
    """A queries.sql that cannot be read; the text names the file's block and what is wrong."""


class Queries:
    """The named statements of one file, as attributes: `queries.insert_document`."""

    def __init__(self, statements: Mapping[str, str]) -> None:
        self._statements: Final = dict(statements)

    def __getattr__(self, name: str) -> LiteralString:
        try:
            return self._statements[name]  # a file of ours and nothing else: as literal as text in the source
        except KeyError:
            raise AttributeError(f"no query is named {name!r}; there are {', '.join(sorted(self._statements))}") from None

    def __dir__(self) -> list[str]:
        return sorted(self._statements)


def load_queries(package: str | None) -> Queries:
    """The queries.sql beside the package `package` (pass `__package__`). Raises QueryFileError."""
    origin = sys.modules[package or ""].__file__
    if origin is None:
        raise QueryFileError(f"{package} is not a package with files")
    return parse_queries((Path(origin).parent / "queries.sql").read_text(encoding="utf-8"))


def parse_queries(content: str) -> Queries:
    """The statements of a file's text. Raises QueryFileError when a block is not of the form above."""
    lead, *pieces = _NAME.split(content)
    if any(line.strip() and not line.startswith("--") for line in lead.splitlines()):
        raise QueryFileError("there is SQL before the first `-- name:`")
    statements: dict[str, str] = {}
    for name, block in zip(pieces[::2], pieces[1::2], strict=True):
        if name in statements:
            raise QueryFileError(f"{name!r} is there twice")
        statements[name] = _statement(name, block)
    return Queries(statements)


def _statement(name: str, block: str) -> str:
    if not _IDENTIFIER.fullmatch(name):
        raise QueryFileError(f"{name!r} is not a name")
    lines = block.strip().splitlines()
    if not lines or not lines[0].startswith("-- "):
        raise QueryFileError(f"{name!r} does not say what it is for")
    sql = "\n".join(line for line in lines if not line.startswith("--")).strip().removesuffix(";").rstrip()
    if not sql:
        raise QueryFileError(f"{name!r} has no statement")
    if _PERCENT.search(sql.replace("%%", "")):
        raise QueryFileError(f"{name!r} has a lone %; write %% or %(name)s")
    return sql
