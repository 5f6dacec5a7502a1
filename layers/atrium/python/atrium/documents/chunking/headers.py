"""What is embedded before a chunk's text: the document's title, the path of headings, a table's header row."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from atrium.documents.chunking.graphemes import clipped
from atrium.documents.chunking.models import embedding_input
from atrium.providers.base import TokenCounter

_SHARE: Final = 4  # a header takes at most a fourth of the window
_TITLE_CHARS: Final = 96
_HEADING_CHARS: Final = 80
_ROW_CHARS: Final = 240
_READ_FACTOR: Final = 4  # of a title or heading no more is looked at than this many times what may stay of it
_DEPTH: Final = 8
_PATH: Final = " > "


class Context(NamedTuple):
    """Where a chunk stands: below which headings, outermost first; in a table, under which header row."""

    path: tuple[str, ...]
    row: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """`heading` is what of the context is kept; `text` is that after the title; `tokens` is what it takes of the window."""

    heading: str
    text: str
    tokens: int


def heading_name(text: str) -> str:
    """A heading in one line, as it stands in paths."""
    return _line(text, _HEADING_CHARS)


def row_name(text: str) -> str:
    """A table's header row in one line."""
    return _line(text, _ROW_CHARS)


class Headers:
    """One document's headers, each made once, none of more than a fourth of the window's tokens."""

    def __init__(self, title: str | None, tokenizer: TokenCounter, window: int, *, contextual: bool) -> None:
        self._tokenizer = tokenizer
        self._limit = window // _SHARE
        self._contextual = contextual
        self._made: dict[Context, Header] = {}
        self._title = self._fitting_title(_line(title or "", _TITLE_CHARS))

    def of(self, context: Context) -> Header:
        """The header of chunks that stand there."""
        made = self._made.get(context)
        if made is None:
            made = self._made[context] = self._make(context)
        return made

    def _make(self, context: Context) -> Header:
        for path, row in _narrower(context.path[-_DEPTH:], context.row):
            heading = _PATH.join(filter(None, (*path, row)))
            text = self._titled(path, heading)
            tokens = self._tokens(text)
            if tokens <= self._limit:
                return Header(heading, text, tokens) if self._contextual else Header(heading, "", 0)
        return Header("", "", 0)

    def _titled(self, path: tuple[str, ...], heading: str) -> str:
        if not self._title or path[:1] == (self._title,):
            return heading
        return _PATH.join(filter(None, (self._title, heading)))

    def _fitting_title(self, title: str) -> str:
        """As much of a title as leaves half of the header to what changes from chunk to chunk."""
        while title and self._tokens(title) > self._limit // 2:
            title = clipped(title, len(title) // 2)
        return title

    def _tokens(self, header: str) -> int:
        return len(self._tokenizer.offsets(embedding_input(header, "")))


def _narrower(path: tuple[str, ...], row: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """A context, and then less and less of it: outer headings go first, then the ends of what is left."""
    for outer in range(len(path)):
        yield path[outer:], row
    yield from (((clipped(name, len(name) // share),), row) for name in path[-1:] for share in (2, 4))
    yield from (((), clipped(row, len(row) // share)) for share in (1, 2, 4, 8) if row)
    yield (), ""


def _line(text: str, limit: int) -> str:
    return clipped(" ".join(text[: _READ_FACTOR * limit].split()), limit)
