"""Plain text: paragraphs and list items."""

import re

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.characters import clean
from atrium.documents.parsing.decoding import decode
from atrium.documents.parsing.models import BlockKind, ExtractedText, Inspection
from atrium.documents.parsing.registry import PLAIN, ParseOptions

_BLANK_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*)+")
ITEM = re.compile(r"( *)(?:[-*+•–]|\d{1,3}[.)])[ \t]+\S")


class PlainExtractor:
    """The `Extractor` of text/plain."""

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """Nothing is known of plain text beforehand."""
        del data, options
        return Inspection(PLAIN)

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """Paragraphs between blank lines; lines are kept as they are."""
        builder = TextBuilder(PLAIN, options.limits.max_text_chars)
        for paragraph in _BLANK_LINES.split(clean(decode(data))):
            add_lines(builder, paragraph.split("\n"))
        return builder.finish()


def add_lines(builder: TextBuilder, lines: list[str]) -> None:
    """Add a run of lines without a blank one among them: list items, and the paragraph before them."""
    group: list[str] = []
    kind, level = BlockKind.PARAGRAPH, None
    for line in lines:
        item = ITEM.match(line)
        if item:
            builder.add(kind, "\n".join(group), level)
            group, kind, level = [], BlockKind.LIST_ITEM, len(item[1]) // 2
        group.append(line)
    builder.add(kind, "\n".join(group), level)
