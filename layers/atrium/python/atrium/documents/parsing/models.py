"""What parsing yields. Frozen, and the same after a trip through JSON.

`ExtractedText.text` is the stored text: what goes to the bucket, what offsets point into, what quotes are checked
against. It holds no NUL, no lone surrogate and no line end but a line feed, and it is in Unicode's NFC. Offsets are
Python character offsets (code points), ends exclusive.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

MAX_TITLE_CHARS: Final = 300


class BlockKind(StrEnum):
    """What a span of the text is."""

    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CODE = "code"
    FOOTNOTE = "footnote"
    PAGE_FURNITURE = "page_furniture"


@dataclass(frozen=True, slots=True)
class Block:
    """One structural span. `level` is a heading's depth from 1, or a list item's from 0; `page` counts from 1.

    A table has one line per row, cells joined by " | ", the header row first.
    """

    kind: BlockKind
    start: int
    end: int
    level: int | None = None
    page: int | None = None


@dataclass(frozen=True, slots=True)
class PageSpan:
    """The text of page `number` (from 1). An empty page has start == end."""

    number: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """One bookmark: its title, cut to 300 characters, depth from 1, and page from 1 where it says one."""

    title: str
    level: int
    page: int | None = None

    def __post_init__(self) -> None:
        _cut_title(self)


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file is, before its text is read. `encrypted` files here are those that open without a password.

    The title is cut to 300 characters.
    """

    content_type: str
    pages: int | None = None
    encrypted: bool = False
    title: str | None = None
    outline: tuple[OutlineEntry, ...] = ()

    def __post_init__(self) -> None:
        _cut_title(self)

    def to_json(self) -> str:
        """Compact JSON, the inverse of `from_json`."""
        return _dumps(
            {
                "content_type": self.content_type,
                "pages": self.pages,
                "encrypted": self.encrypted,
                "title": self.title,
                "outline": [[entry.title, entry.level, entry.page] for entry in self.outline],
            }
        )

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Raise `ValueError` for anything that `to_json` does not write."""
        with _shape("an inspection"):
            raw = json.loads(data)
            outline = tuple(OutlineEntry(str(title), int(level), _optional_int(page)) for title, level, page in raw["outline"])
            return cls(
                content_type=str(raw["content_type"]),
                pages=_optional_int(raw["pages"]),
                encrypted=bool(raw["encrypted"]),
                title=_optional_str(raw["title"]),
                outline=outline,
            )


@dataclass(frozen=True, slots=True)
class ExtractedText:
    """A document's stored text and its structure: blocks and pages in order, not overlapping, within the text.

    The title is cut to 300 characters. `unread` are pages (from 1) that have no text yet, as only OCR can read them;
    `confidences` are (page, 0 to 1) of those that OCR read.
    """

    text: str
    blocks: tuple[Block, ...] = ()
    pages: tuple[PageSpan, ...] = ()
    title: str | None = None
    content_type: str = "text/plain"
    warnings: tuple[str, ...] = ()
    unread: tuple[int, ...] = ()
    confidences: tuple[tuple[int, float], ...] = ()

    def __post_init__(self) -> None:
        if "\0" in self.text or "\r" in self.text or not _encodable(self.text):
            raise ValueError("stored text holds a NUL, a carriage return or a lone surrogate")
        _check_order(self.blocks, len(self.text), "blocks")
        _check_order(self.pages, len(self.text), "pages")
        _cut_title(self)

    def to_json(self) -> str:
        """Compact JSON, the inverse of `from_json`; blocks and pages are rows, as a large document has many."""
        return _dumps(
            {
                "text": self.text,
                "blocks": [[block.kind.value, block.start, block.end, block.level, block.page] for block in self.blocks],
                "pages": [[page.number, page.start, page.end] for page in self.pages],
                "title": self.title,
                "content_type": self.content_type,
                "warnings": list(self.warnings),
                "unread": list(self.unread),
                "confidences": [[page, round(confidence, 4)] for page, confidence in self.confidences],
            }
        )

    @classmethod
    def from_json(cls, data: str | bytes) -> Self:
        """Raise `ValueError` for anything that `to_json` does not write: a parser's process is not trusted."""
        with _shape("extracted text"):
            raw = json.loads(data)
            if not isinstance(raw["text"], str):
                raise TypeError("text is not a string")
            return cls(
                text=raw["text"],
                blocks=tuple(_block(row) for row in raw["blocks"]),
                pages=tuple(PageSpan(int(number), int(start), int(end)) for number, start, end in raw["pages"]),
                title=_optional_str(raw["title"]),
                content_type=str(raw["content_type"]),
                warnings=tuple(str(warning) for warning in raw["warnings"]),
                unread=tuple(int(page) for page in raw.get("unread", ())),
                confidences=tuple((int(page), float(confidence)) for page, confidence in raw.get("confidences", ())),
            )


@contextmanager
def _shape(what: str) -> Iterator[None]:
    """Turns what a wrong shape raises into one `ValueError`."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"not JSON of {what}") from error


def _block(row: Sequence[Any]) -> Block:
    kind, start, end, level, page = row
    return Block(BlockKind(kind), int(start), int(end), _optional_int(level), _optional_int(page))


def _cut_title(titled: OutlineEntry | Inspection | ExtractedText) -> None:
    """A title is shown, stored in a row and put before every chunk: whatever made it, it has an end."""
    if titled.title and len(titled.title) > MAX_TITLE_CHARS:
        object.__setattr__(titled, "title", titled.title[:MAX_TITLE_CHARS].rstrip())  # frozen, and not out yet


def _check_order(spans: Iterable[Block | PageSpan], length: int, what: str) -> None:
    cursor = 0
    for span in spans:
        if not cursor <= span.start <= span.end <= length:
            raise ValueError(f"{what} overlap, are out of order, or leave the text")
        cursor = span.end


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _optional_int(value: int | str | None) -> int | None:
    return None if value is None else int(value)


def _optional_str(value: object) -> str | None:
    return None if value is None else str(value)


def _dumps(value: dict[str, object]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
