"""What pypdf says of a PDF: whether it is encrypted, and its outline."""

import logging
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

from atrium.documents.parsing.characters import one_line
from atrium.documents.parsing.models import OutlineEntry

if TYPE_CHECKING:
    from pypdf import PdfReader

_MAX_ENTRIES = 5_000


def read_outline(data: bytes, password: str | None) -> tuple[bool, tuple[OutlineEntry, ...]]:
    """(encrypted, outline) of a PDF that pdfium opens. Where pypdf fails, what it had said until then."""
    from pypdf import PdfReader

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    encrypted = False
    entries: list[OutlineEntry] = []
    try:
        reader = PdfReader(BytesIO(data))
        encrypted = reader.is_encrypted
        if encrypted:
            reader.decrypt(password or "")
        entries.extend(_entries(reader))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - damaged files raise whatever their damage meets; the outline is an extra
        return encrypted, tuple(entries)
    return encrypted, tuple(entries)


def _entries(reader: "PdfReader") -> Iterator[OutlineEntry]:
    """A level is a nested list; walked with a stack, as depth is the file's to choose."""
    stack: list[tuple[int, Iterator[Any]]] = [(1, iter(reader.outline))]
    count = 0
    while stack and count < _MAX_ENTRIES:
        level, items = stack[-1]
        item = next(items, None)
        if item is None:
            stack.pop()
        elif isinstance(item, list):
            stack.append((level + 1, iter(item)))
        else:
            count += 1
            page = reader.get_destination_page_number(item)
            yield OutlineEntry(one_line(str(item.title or "")), level, None if page is None or page < 0 else page + 1)
