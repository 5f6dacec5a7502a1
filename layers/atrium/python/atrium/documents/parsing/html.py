"""HTML: what the page is about, without what every page of the site repeats."""

import re
from typing import TYPE_CHECKING

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.characters import one_line
from atrium.documents.parsing.decoding import decode
from atrium.documents.parsing.html_blocks import HtmlBlock, read_blocks
from atrium.documents.parsing.html_guard import check_nesting
from atrium.documents.parsing.models import BlockKind, ExtractedText, Inspection
from atrium.documents.parsing.registry import HTML, ParseOptions

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

_META_CHARSET = re.compile(rb"<meta[^>]{1,500}?charset\s*=\s*[\"']?\s*([\w:.-]{2,40})", re.IGNORECASE)
_XML_ENCODING = re.compile(rb"^\s*<\?xml[^>]{1,200}?encoding\s*=\s*[\"']([\w.-]{2,40})")
_CHARSET_WITHIN = 4096
_MENU_RUN = 6
_MENU_ITEM_CHARS = 60
_LEGAL = re.compile(r"^\W*(?:©|\(c\)|copyright\b)|\ball rights reserved\b|alle rechte vorbehalten", re.IGNORECASE)
_LEGAL_CHARS = 300


class HtmlExtractor:
    """The `Extractor` of text/html."""

    def inspect(self, data: bytes, options: ParseOptions) -> Inspection:
        """The title."""
        del options
        return Inspection(HTML, title=_title(_parsed(data)))

    def extract(self, data: bytes, options: ParseOptions) -> ExtractedText:
        """The main content's blocks; where nothing is left without boilerplate, the whole page's."""
        parser = _parsed(data)
        builder = TextBuilder(HTML, options.limits.max_text_chars)
        blocks = _without_menus(read_blocks(parser)) or read_blocks(parser, everything=True)
        for block in blocks:
            builder.add(block.kind, block.text, block.level)
        headings = (one_line(block.text) for block in blocks if block.kind is BlockKind.HEADING)
        return builder.finish(_title(parser) or next(headings, None))


def _parsed(data: bytes) -> "LexborHTMLParser":
    from selectolax.lexbor import LexborHTMLParser

    page = decode(data, _declared_charset(data[:_CHARSET_WITHIN]))
    check_nesting(page)
    return LexborHTMLParser(page)


def _declared_charset(head: bytes) -> str | None:
    found = _META_CHARSET.search(head) or _XML_ENCODING.search(head)
    return found[1].decode("ascii", errors="ignore") if found else None


def _title(parser: "LexborHTMLParser") -> str | None:
    node = parser.css_first("title")
    return (one_line(node.text()) or None) if node is not None else None


def _without_menus(blocks: list[HtmlBlock]) -> list[HtmlBlock]:
    """Leave out short blocks that are nothing but links: at both ends of the page, and in long runs inside it.

    So is who owns the page, at its end.
    """
    kept: list[HtmlBlock] = []
    run: list[HtmlBlock] = []
    for block in blocks:
        if block.only_links and len(block.text) <= _MENU_ITEM_CHARS:
            run.append(block)
            continue
        if kept and len(run) < _MENU_RUN:
            kept += run
        run = []
        kept.append(block)
    while len(kept) > 1 and len(kept[-1].text) <= _LEGAL_CHARS and _LEGAL.search(kept[-1].text):
        kept.pop()
    return kept
