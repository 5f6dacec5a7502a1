"""The walk over an HTML tree: blocks in reading order. Iterative, as depth is the page's to choose."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrium.documents.parsing.characters import one_line
from atrium.documents.parsing.models import BlockKind

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEXT = "-text"
_SKIPPED = _words(
    "head script style noscript template svg math iframe object embed canvas audio video map button select option input textarea "
    "dialog datalist -comment"
)
_BOILERPLATE = frozenset({"nav", "menu"})
_SITE_PARTS = frozenset({"header", "footer", "aside"})  # of the site, unless they are inside an article
_ROLES = frozenset({"navigation", "banner", "contentinfo", "search", "menu", "menubar", "dialog", "alertdialog", "complementary"})
_NAMES = _words(
    "nav navbar navigation menu breadcrumb breadcrumbs sidebar footer site-header site-footer skip-link pagination pager "
    "cookie-banner cookie-consent cookie-notice advertisement advert ads social-share share-buttons related-posts"
)
_BLOCKS = _words(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form header hr "
    "html legend li main nav ol p pre search section summary table tbody td tfoot th thead tr ul"
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
# Parts of names that mean the same, unless what is called so is a good part of the page ("layout with-sidebar").
_NAME_PARTS = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|menu|breadcrumbs?|sidebar|footer|cookies?|consent|gdpr|pagination|share|social|adverts?|ads|promo"
    r"|newsletter|related|skip|popup|modal)(?:[\s_-]|$)"
)
_MAX_SHARE = 0.3
_SEPARATOR_CHARS = 8  # text between links that may be no more than " | "
_MAX_WEIGHED = 50  # elements whose share of the page is looked at: each look costs as much as they hold
_CONTROLS = "input, select, textarea"
_HIDDEN_STYLE = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_AROUND_BREAK = re.compile(r" *\n *")
_MAIN_SHARE = 0.25
_MAX_LIST_DEPTH = 20


@dataclass(frozen=True, slots=True)
class HtmlBlock:
    """One block; `only_links` where every letter of it is in a link."""

    kind: BlockKind
    text: str
    level: int | None
    only_links: bool


def read_blocks(parser: "LexborHTMLParser", *, everything: bool = False) -> list[HtmlBlock]:
    """The blocks of a page: of its main part without boilerplate, or of all that can be seen."""
    root = parser.body or parser.root
    if root is None:
        return []
    walk = _Walk(_data_tables(parser), everything=everything, letters=0 if everything else len(root.text()))
    walk.run(root if everything else _main_part(parser, root))
    return walk.blocks


def _main_part(parser: "LexborHTMLParser", body: "LexborNode") -> "LexborNode":
    """`main`, or the only article, where it holds a good part of the text."""
    candidates = parser.css("main, [role=main]") or parser.css("article")
    if len(candidates) == 1 and len(candidates[0].text()) >= _MAIN_SHARE * len(body.text()):
        return candidates[0]
    return body


def _data_tables(parser: "LexborHTMLParser") -> set[int]:
    """The tables that hold data, not layout: with no table inside, and a row of two cells."""
    tables = parser.css("table")
    layout: set[int] = set()
    for table in tables:
        ancestor = table.parent
        while ancestor is not None and ancestor.mem_id not in layout:
            if ancestor.tag == "table":
                layout.add(ancestor.mem_id)
                break
            ancestor = ancestor.parent
    return {table.mem_id for table in tables if table.mem_id not in layout and _is_grid(table)}


def _is_grid(table: "LexborNode") -> bool:
    if table.css_first(_CONTROLS) is not None:  # a form that is laid out
        return False
    rows = [row for row in table.css("tr") if len(row.css("td, th")) > 1]
    return len(rows) > 1 or table.css_first("th") is not None


class _Walk:
    """Depth first, with the state that the way down leaves: lists, links, headings."""

    def __init__(self, data_tables: set[int], *, everything: bool, letters: int) -> None:
        self.blocks: list[HtmlBlock] = []
        self._data_tables = data_tables
        self._everything = everything
        self._letters = letters
        self._weighed = 0
        self._pieces: list[str] = []
        self._plain_letters = 0
        self._links = 0
        self._articles = 0
        self._preformatted = 0
        self._heading: int | None = None
        self._lists: list[int | None] = []  # next number of each open list, none for bullets
        self._label = ""

    def run(self, root: "LexborNode") -> None:
        """Visit everything below a node."""
        stack: list[tuple[LexborNode, bool]] = [(root, False)]
        while stack:
            node, leaving = stack.pop()
            if leaving:
                self._leave(node.tag or "")
            elif self._enter(node):
                stack.append((node, True))
                stack.extend((child, False) for child in reversed(list(_children(node))))
        self._flush()

    def _enter(self, node: "LexborNode") -> bool:
        """Begin an element; whether its children are to be visited."""
        tag = node.tag or ""
        if tag == _TEXT:
            self._write(node.text_content or "")
            return False
        if tag in _SKIPPED or (not self._everything and self._is_boilerplate(node, tag)):
            return False
        if tag == "br":
            self._pieces.append("\n")
            return False
        if tag in _BLOCKS or tag in _HEADINGS:
            self._flush()
        if tag == "table" and node.mem_id in self._data_tables:
            self._add(BlockKind.TABLE, "\n".join(_rows(node)), None)
            return False
        self._count(tag, 1)
        return True

    def _leave(self, tag: str) -> None:
        if tag in _BLOCKS or tag in _HEADINGS:
            self._flush()
        self._count(tag, -1)
        if tag == "li":
            self._label = ""

    def _count(self, tag: str, step: int) -> None:
        if tag == "a":
            self._links += step
        elif tag in {"article", "main"}:
            self._articles += step
        elif tag == "pre":
            self._preformatted += step
        elif tag in _HEADINGS:
            self._heading = _HEADINGS[tag] if step > 0 else None
        elif tag in {"ul", "ol"} and step > 0:
            self._lists.append(1 if tag == "ol" else None)
        elif tag in {"ul", "ol"}:
            self._lists.pop()
        elif tag == "li" and step > 0:
            self._label = self._next_label()

    def _next_label(self) -> str:
        number = self._lists[-1] if self._lists else None
        if number is None:
            return "• "
        self._lists[-1] = number + 1
        return f"{number}. "

    def _write(self, text: str) -> None:
        self._pieces.append(text if self._preformatted else _SPACE.sub(" ", text))
        if not self._links:
            self._plain_letters += sum(map(str.isalnum, text)) if len(text) <= _SEPARATOR_CHARS else len(text)

    def _flush(self) -> None:
        text = "".join(self._pieces)
        only_links = self._plain_letters == 0
        self._pieces, self._plain_letters = [], 0
        if not text.strip():
            return
        if self._preformatted:
            self._add(BlockKind.CODE, text, None)
            return
        text = _AROUND_BREAK.sub("\n", _collapsed(text)).strip()
        if self._heading is not None:
            self._add(BlockKind.HEADING, one_line(text), self._heading)
        elif self._label:
            depth = min(max(0, len(self._lists) - 1), _MAX_LIST_DEPTH)
            self._add(BlockKind.LIST_ITEM, self._label + text, depth, only_links=only_links)
            self._label = ""
        else:
            self._add(BlockKind.PARAGRAPH, text, None, only_links=only_links)

    def _add(self, kind: BlockKind, text: str, level: int | None, *, only_links: bool = False) -> None:
        self.blocks.append(HtmlBlock(kind, text, level, only_links))

    def _is_boilerplate(self, node: "LexborNode", tag: str) -> bool:
        if tag in _BOILERPLATE or (tag in _SITE_PARTS and not self._articles):
            return True
        attributes = node.attributes
        if not attributes or tag in {"body", "html", "main", "article"}:
            return False
        if "hidden" in attributes or attributes.get("aria-hidden") == "true" or attributes.get("role") in _ROLES:
            return True
        if _HIDDEN_STYLE.search(attributes.get("style") or ""):
            return True
        names = f"{attributes.get('class') or ''} {attributes.get('id') or ''}".lower()
        if not _NAMES.isdisjoint(names.split()):
            return True
        return _NAME_PARTS.search(names) is not None and self._is_small(node)

    def _is_small(self, node: "LexborNode") -> bool:
        self._weighed += 1
        return self._weighed > _MAX_WEIGHED or len(node.text()) <= _MAX_SHARE * self._letters


def _collapsed(text: str) -> str:
    return re.sub(r"[ \t]{2,}", " ", text)


def _children(node: "LexborNode") -> Iterator["LexborNode"]:
    child = node.child
    while child is not None:
        yield child
        child = child.next


def _rows(table: "LexborNode") -> Iterator[str]:
    """The caption, then a line for each row that has text, cells joined by " | "."""
    caption = table.css_first("caption")
    if caption is not None and _cell_text(caption):
        yield _cell_text(caption)
    for row in table.css("tr"):
        cells = [_cell_text(cell) for cell in row.css("td, th")]
        if any(cells):
            yield " | ".join(cells)


def _cell_text(cell: "LexborNode") -> str:
    """A cell on one line, without scripts and whatever else is not shown."""
    pieces: list[str] = []
    stack: list[LexborNode | None] = [cell]  # none where a block ends
    while stack:
        node = stack.pop()
        tag = node.tag if node is not None else "br"
        if node is None or tag == "br":
            pieces.append(" ")
        elif tag == _TEXT:
            pieces.append(node.text_content or "")
        elif tag not in _SKIPPED:
            apart = tag in _BLOCKS
            stack += [None, *reversed(list(_children(node))), None] if apart else reversed(list(_children(node)))
    return one_line("".join(pieces))
