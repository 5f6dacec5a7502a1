"""What OCR read of a document, put where its text belongs."""

from collections.abc import Iterable, Mapping
from typing import Final

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.failures import FailureKind, failed
from atrium.documents.parsing.models import ExtractedText
from atrium.documents.parsing.ocr import POOR_CONFIDENCE, RecognisedPage
from atrium.documents.parsing.pdf_layout import PageLines

_NAMED_PAGES: Final = 20


class Recognised:
    """The pages (from 1) that only OCR can read, and what it read of them so far."""

    def __init__(self, scanned: Iterable[int], known: Mapping[int, RecognisedPage]) -> None:
        self._scanned = tuple(scanned)
        self._pages = {number: known[number] for number in self._scanned if number in known}

    def lines(self, number: int, written: PageLines | None = None) -> PageLines:
        """A page's lines: what OCR read, unless `written`, the text that came with it, says about as much."""
        page = self._pages.get(number)
        if page is None or (written and page.letters < 2 * sum(len(line.text) for line in written)):
            return written or []
        return list(page.lines)

    def finish(self, builder: TextBuilder, title: str | None = None) -> ExtractedText:
        """The document, with the pages still unread and the confidence of those read; `empty-text` as the builder has it.

        A document of which nothing could be read fails as its first page did.
        """
        read = [page for page in self._pages.values() if page.failure is None]
        _warn(builder, "Read with little confidence", [page.number for page in read if 0 < page.confidence < POOR_CONFIDENCE])
        _warn(builder, "Could not be read", [page.number for page in self._pages.values() if page.failure])
        unread = [number for number in self._scanned if number not in self._pages]
        if builder.empty and not unread:
            self._raise_failure()
        # A blank page says nothing of how well the others were read.
        confidences = [(page.number, page.confidence) for page in self._pages.values() if page.lines or page.failure]
        return builder.finish(title, unread=unread, confidences=confidences)

    def _raise_failure(self) -> None:
        for page in self._pages.values():
            if page.failure is not None:
                kind, detail = page.failure
                raise failed(FailureKind(kind), detail)


def _warn(builder: TextBuilder, what: str, pages: list[int]) -> None:
    if pages:
        more = ", …" if len(pages) > _NAMED_PAGES else ""
        builder.warn(f"{what}: page {', '.join(map(str, pages[:_NAMED_PAGES]))}{more}")
