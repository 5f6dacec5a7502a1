"""Structure from the place and size of lines: headings, page furniture, list items, paragraphs.

This runs beside pdfium on every line of every page, and may cost a small part of what pdfium itself does.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from atrium.documents.parsing.models import BlockKind, OutlineEntry

_HEADING_RATIO = 1.12
_HEADING_CHARS = 150
_NUMBER_CHARS = 12
_MAX_LEVEL = 6
_MAX_HEADING_SHARE = 0.3
_SAMPLED_PAGES = 16
_PARAGRAPH_GAP = 1.3
_INDENT = 0.6
_FULL_LINE = 0.85
_LONG_LINE = 0.6
_NARROW = 0.8
_OTHER_SIZE = 1.3
_FEW_LETTERS = 20
_SENTENCE_END = (".", "!", "?", ":", ";")
_NUMBERING = re.compile(r"^(?:[A-Z]|[IVXLC]+|\d+)(?:\.\d+)*[.):]?\s+")
_BULLET = re.compile(r"^(?:[•●○▪■◦‣▶➢✓\uf0b7\uf0a7*–—-]|\(?(?:\d{1,3}|[a-z]|[ivx]{1,4})[.)])\s+\S")
_BULLET_CHARS = 6  # of the longest: "(viii)"
_BULLET_END = frozenset("•●○▪■◦‣▶➢✓\uf0b7\uf0a7*–—-.)")  # what the first word of a list item ends with
HYPHEN = "\ufffe"  # how pdfium joins a line to the next one when a word is divided
_CJK = "\u2e80"
_NO_LETTERS = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\d+")
_PAGE_NUMBER = re.compile(r"^\W*(?:page|seite)?\s*\d{1,4}(?:\s*(?:/|of|von)\s*\d{1,4})?\W*$", re.IGNORECASE)


class Line(NamedTuple):
    """A line of a page; place and height (points) are those of its first letter. The origin is the lower left corner."""

    text: str
    left: float
    bottom: float
    height: float


PageLines = list[Line]
TableLines = tuple[int, int, str]  # the lines [first, end) of a page are a table of this text
Mark = tuple[BlockKind, int | None]
Marks = dict[int, Mark]
_PARAGRAPH: Mark = (BlockKind.PARAGRAPH, None)
_ITEM: Mark = (BlockKind.LIST_ITEM, 0)
_FURNITURE: Mark = (BlockKind.PAGE_FURNITURE, None)
_NO_MARKS: Marks = {}


class Layout:
    """What has to be known of the whole document before a page can be read.

    `marks` says, page by page (from 1), which lines are headings or furniture.
    """

    def __init__(self, pages: list[PageLines], outline: list[OutlineEntry]) -> None:
        self.body, self.pitch, self.full = _body(pages)
        headings = _outline_headings(pages, outline)
        # An outline that names the headings is the author's own word; one that names something else is ignored.
        if not outline or len(set(headings.values())) * 2 < len(outline):
            headings = _large_lines(pages, self.body)
        self.marks: dict[int, Marks] = {}
        for (page, index), level in headings.items():
            self.marks.setdefault(page, {})[index] = (BlockKind.HEADING, level[1])
        for page, index in _furniture(pages):
            self.marks.setdefault(page, {})[index] = _FURNITURE
        on_first = sorted(self.marks.get(1, _NO_MARKS).items())
        self.first_heading = next((pages[0][index].text for index, mark in on_first if mark[0] is BlockKind.HEADING), None)

    def is_furniture(self, page: int, lines: Iterable[int]) -> bool:
        """Whether some lines of a page are nothing but what repeats from page to page."""
        marks = self.marks.get(page, _NO_MARKS)
        return all(marks.get(index) is _FURNITURE for index in lines)


def paragraphs(
    lines: PageLines, page: int, layout: Layout, tables: Sequence[TableLines] = ()
) -> Iterator[tuple[BlockKind, str, int | None]]:
    """The blocks of a page: (kind, text, level), in reading order."""
    marks = layout.marks.get(page, _NO_MARKS)
    start = 0
    for first, end, text in tables:
        yield from _stretch(lines, start, first, marks, layout)
        yield BlockKind.TABLE, text, None
        start = end
    yield from _stretch(lines, start, len(lines), marks, layout)


def _stretch(lines: PageLines, start: int, end: int, marks: Marks, layout: Layout) -> Iterator[tuple[BlockKind, str, int | None]]:
    """The blocks of some lines among which there is no table."""
    group: list[Line] = []
    group_mark = _PARAGRAPH
    for index, line in enumerate(lines[start:end], start):
        mark = marks.get(index, _PARAGRAPH) if marks else _PARAGRAPH
        text = line[0]
        word = text.find(" ")
        if 0 < word <= _BULLET_CHARS and text[word - 1] in _BULLET_END and mark is _PARAGRAPH and _BULLET.match(text):
            mark = _ITEM
        if group and _continues(group[-1], line, group_mark, mark, layout):
            group.append(line)
            continue
        if group:
            yield group_mark[0], _joined(group, layout.full), group_mark[1]
        group, group_mark = [line], mark
    if group:
        yield group_mark[0], _joined(group, layout.full), group_mark[1]


def _continues(previous: Line, line: Line, block: Mark, mark: Mark, layout: Layout) -> bool:
    """Whether a line goes on with the block that `previous` belongs to."""
    text, left, bottom, height = line
    above, above_left, above_bottom, above_height = previous
    body, pitch = layout.body, layout.pitch
    if above_height > height * _OTHER_SIZE and above_height > body * _OTHER_SIZE and len(text) > _FEW_LETTERS:
        return False
    gap = above_bottom - bottom
    if HYPHEN in above:
        gap -= pitch * above.count(HYPHEN)
    if mark is not _PARAGRAPH or (block is not _PARAGRAPH and block is not _ITEM):
        return mark == block and mark[0] is BlockKind.HEADING and 0 < gap < 2 * height
    if gap <= 0:
        # Superscripts, and the foot of a column: the sentence goes on, or something else begins.
        return -height < gap or not (above.endswith(_SENTENCE_END) or text[0].isupper())
    if gap > pitch * _PARAGRAPH_GAP and gap * body > pitch * _PARAGRAPH_GAP * height:
        return False
    return left - above_left <= _INDENT * height or block is _ITEM or not above.endswith(_SENTENCE_END)


def _joined(group: list[Line], full: int) -> str:
    """Lines of running text joined by a space; a line that ends early ended on purpose and keeps its line end.

    In a block that is narrow for its document, a table's rows for instance, only what goes on in small letters runs on.
    """
    if len(group) == 1:
        return group[0].text
    lengths = [len(line[0]) - 1 - line[0].rfind(HYPHEN) for line in group]
    longest = max(lengths)
    narrow = longest < _NARROW * full
    pieces = [group[0].text]
    for above, length, line in zip(group, lengths, group[1:], strict=False):
        runs_on = line.text[0].islower() if narrow else _runs_on(above.text, length / longest)
        pieces += (" " if runs_on else "\n", line.text)
    return "".join(pieces)


def _runs_on(text: str, fullness: float) -> bool:
    """Whether a line is running text. CJK has no spaces between words, and keeps its line ends."""
    return text[-1] < _CJK and (fullness >= _FULL_LINE or (fullness >= _LONG_LINE and not text.endswith(_SENTENCE_END)))


def _body(pages: list[PageLines]) -> tuple[float, float, int]:
    """(letter height, distance of lines, letters of a line) of the running text: what most of it has on a sample of pages."""
    sizes: defaultdict[float, int] = defaultdict(int)
    pitches: defaultdict[int, int] = defaultdict(int)
    lengths: list[int] = []
    for lines in pages[:: max(1, len(pages) // _SAMPLED_PAGES)]:
        above = 0.0
        for text, _, bottom, height in lines:
            length = len(text)
            sizes[round(height, 1)] += length
            lengths.append(length)
            pitches[round(above - bottom)] += 1
            above = bottom
    body = max(sizes, key=sizes.__getitem__, default=0.0) or 1.0
    plausible = {pitch: count for pitch, count in pitches.items() if body * 0.8 <= pitch <= body * 3.5}
    return body, max(plausible, key=plausible.__getitem__, default=body * 1.3), _median(lengths)


def _median(lengths: list[int]) -> int:
    """The length that half of all letters stand in shorter lines than, or as short."""
    half = sum(lengths) / 2
    below = 0
    for length in sorted(lengths):
        below += length
        if below >= half:
            return length
    return 0


def _furniture(pages: list[PageLines]) -> Iterator[tuple[int, int]]:
    """(page, index) of the top and bottom lines that repeat from page to page, and of bare page numbers."""
    edges: dict[tuple[int, int], str] = {}
    for number, lines in enumerate(pages, 1):
        if len(lines) > 1:
            heights = [line.bottom for line in lines]
            for index in {heights.index(max(heights)), heights.index(min(heights))}:
                edges[number, index] = _DIGITS.sub("#", lines[index].text).strip()
    repeats = Counter(edges.values())
    often = max(3, 0.2 * len(pages))
    for (number, index), key in edges.items():
        if repeats[key] >= often or _PAGE_NUMBER.match(pages[number - 1][index].text):
            yield number, index


# (page, index of the line) → (what it is a heading of, level): lines of one heading share the first.
Headings = dict[tuple[int, int], tuple[int, int]]


def _large_lines(pages: list[PageLines], body: float) -> Headings:
    """Headings by letter size, the largest being level 1. None where so much is large that size means nothing."""
    threshold = body * _HEADING_RATIO
    large = {
        (number, index): round(line.height * 2)
        for number, lines in enumerate(pages, 1)
        for index, line in enumerate(lines)
        if line.height >= threshold and len(line.text) <= _HEADING_CHARS and any(map(str.isalpha, line.text))
    }
    letters = sum(len(pages[number - 1][index].text) for number, index in large)
    if letters > _MAX_HEADING_SHARE * sum(len(line.text) for lines in pages for line in lines):
        return {}
    levels = {size: min(rank, _MAX_LEVEL) for rank, size in enumerate(sorted(set(large.values()), reverse=True), 1)}
    return {place: (size, levels[size]) for place, size in large.items()}


def _outline_headings(pages: list[PageLines], outline: list[OutlineEntry]) -> Headings:
    """The lines that an outline's entries name."""
    found: Headings = {}
    by_page: dict[int, list[tuple[int, OutlineEntry]]] = {}
    for number, entry in enumerate(outline):
        if entry.page is not None and 1 <= entry.page <= len(pages):
            by_page.setdefault(entry.page, []).append((number, entry))
    for page, entries in by_page.items():
        longest = max(len(entry.title) for _, entry in entries) + _NUMBER_CHARS
        spellings = _spellings(pages[page - 1], min(longest, _HEADING_CHARS))
        for number, entry in entries:
            unnumbered = _letters(_NUMBERING.sub("", entry.title))
            for index in spellings.get(_letters(entry.title)) or spellings.get(unnumbered) or ():
                found.setdefault((page, index), (number, min(entry.level, _MAX_LEVEL)))
    return found


def _spellings(lines: PageLines, longest: int) -> dict[str, range]:
    """Every title that one to three lines of a page may spell, with its number and without → those lines, the first first."""
    short = [_letters(line.text) if len(line.text) <= longest else "" for line in lines]
    unnumbered = [_letters(_NUMBERING.sub("", line.text)) if spelled else "" for line, spelled in zip(lines, short, strict=True)]
    found: dict[str, range] = {}
    for count in (1, 2, 3):
        for first in range(len(lines) - count + 1):
            if not short[first]:
                continue
            rest = "".join(short[first + 1 : first + count])
            for start in (short[first], unnumbered[first]):
                if start and (rest or count == 1):
                    found.setdefault(start + rest, range(first, first + count))
    return found


def _letters(text: str) -> str:
    return _NO_LETTERS.sub("", text.casefold())
