"""Puts a stored text together block by block, so that offsets are right because nothing computes them afterwards."""

from collections.abc import Iterable

from atrium.documents.parsing.characters import clean, one_line
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.models import Block, BlockKind, ExtractedText, PageSpan

_MAX_WARNINGS = 50
MAX_HEADING_CHARS = 1_000  # what is longer heads nothing: it is a paragraph that was marked wrongly


class TextBuilder:
    """Collects blocks in reading order. A blank line stands between blocks, a line end between items of a list."""

    def __init__(self, content_type: str, max_chars: int) -> None:
        self._content_type = content_type
        self._max_chars = max_chars
        self._parts: list[str] = []
        self._length = 0
        self._blocks: list[Block] = []
        self._pages: list[PageSpan] = []
        self._page: int | None = None
        self._page_start: int | None = None
        self._warnings: list[str] = []

    def add(self, kind: BlockKind, text: str, level: int | None = None) -> None:
        """Append a block. Nothing happens for text without a visible character; an endless heading is a paragraph."""
        cleaned = clean(text).strip()
        if not cleaned:
            return
        if kind is BlockKind.HEADING and len(cleaned) > MAX_HEADING_CHARS:
            kind, level = BlockKind.PARAGRAPH, None
        start = self._separate(kind)
        self._parts.append(cleaned)
        self._length = end = start + len(cleaned)
        if end > self._max_chars:
            raise failed(FailureKind.TOO_LARGE, f"The document holds more than {self._max_chars:,} characters of text.")
        self._blocks.append(Block(kind, start, end, level, self._page))
        if self._page_start is None:
            self._page_start = start

    @property
    def empty(self) -> bool:
        """Whether no text was added yet."""
        return not self._blocks

    def start_page(self, number: int) -> None:
        """What is added from here on stands on page `number`."""
        self._end_page()
        self._page = number
        self._page_start = None

    def warn(self, warning: str) -> None:
        """Something the owner may want to know; the text is usable without."""
        if len(self._warnings) < _MAX_WARNINGS:
            self._warnings.append(one_line(warning))

    def finish(
        self, title: str | None = None, *, unread: Iterable[int] = (), confidences: Iterable[tuple[int, float]] = ()
    ) -> ExtractedText:
        """The document, its title in one line of at most 300 characters.

        `unread` are the pages that OCR is still to read, `confidences` those that it read. Raise
        `IngestionFailed("empty-text")` without text, and without a page that could yet have some.
        """
        self._end_page()
        pending = tuple(unread)
        if not self._blocks and not pending:
            raise failed(FailureKind.EMPTY_TEXT, "No text was found in the document.")
        return ExtractedText(
            text="".join(self._parts),
            blocks=tuple(self._blocks),
            pages=tuple(self._pages),
            title=(one_line(title) or None) if title else None,
            content_type=self._content_type,
            warnings=tuple(self._warnings),
            unread=pending,
            confidences=tuple(confidences),
        )

    def _separate(self, kind: BlockKind) -> int:
        """Write what stands between the last block and one of `kind`; the offset after it."""
        if not self._blocks:
            return 0
        tight = kind is BlockKind.LIST_ITEM and self._blocks[-1].kind is BlockKind.LIST_ITEM
        separator = "\n" if tight else "\n\n"
        self._parts.append(separator)
        return self._length + len(separator)

    def _end_page(self) -> None:
        if self._page is not None:
            start = self._length if self._page_start is None else self._page_start
            self._pages.append(PageSpan(self._page, start, self._length))
