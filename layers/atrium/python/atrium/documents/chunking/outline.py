"""A document's blocks as what may be cut and what may not: bodies of text with what belongs before and after them."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from atrium.documents.chunking.headers import Context, heading_name, row_name
from atrium.documents.parsing.models import Block, BlockKind, ExtractedText

_NO_BODY: Final = frozenset({BlockKind.HEADING, BlockKind.PAGE_FURNITURE})
_DEPTH: Final = 16  # of headings under headings; what is further out is forgotten

Weigh = Callable[[int, int], int]


@dataclass(slots=True)
class Part:
    """A paragraph, a whole list, a table, ...: `text[body:tail]`, with the headings and page furniture around it.

    Nothing is cut in `(start, body]`, so that a heading stays with its text, nor in `[tail, end)`. `items`: where the
    items of a list begin. `opens`: whether a section begins here. `path`: the headings above, outermost first.
    """

    start: int
    body: int
    tail: int
    end: int
    kind: BlockKind
    path: tuple[str, ...]
    opens: bool = False
    items: tuple[int, ...] = ()


class Outline:
    """The parts of a document, in order; all visible text is in one. `most`: tokens of what a body may have around it."""

    def __init__(self, document: ExtractedText, weigh: Weigh, most: int) -> None:
        self.text = document.text
        self.parts = _with_lists(list(_Assembly(document.text, weigh, most).parts(covering(document))))
        self._starts = [part.start for part in self.parts]

    def at(self, place: int) -> Part:
        """The part in which, or after which, a place is."""
        return self.parts[max(0, bisect_right(self._starts, place) - 1)]

    def may_cut(self, place: int) -> bool:
        """Whether no heading and no page furniture is parted from its text there."""
        part = self.at(place)
        return not (part.start < place <= part.body < part.tail or part.tail <= place < part.end)

    def context(self, place: int) -> Context:
        """Where a chunk stands that begins there."""
        part = self.at(place)
        if part.kind is BlockKind.TABLE and place > part.body:
            row_end = self.text.find("\n", part.body, part.tail)
            if 0 <= row_end < place:
                return Context(part.path, row_name(self.text[part.body : row_end]))
        return Context(part.path)

    def sections(self) -> Iterator[list[Part]]:
        """Runs of parts under one heading."""
        run: list[Part] = []
        for part in self.parts:
            if part.opens and run:
                yield run
                run = []
            run.append(part)
        if run:
            yield run


def covering(document: ExtractedText) -> list[Block]:
    """The document's blocks, and paragraphs for text that is in none. Furniture is text where there is nothing else."""
    blocks = list(_covering(document))
    if all(block.kind is BlockKind.PAGE_FURNITURE for block in blocks):
        return [replace(block, kind=BlockKind.PARAGRAPH) for block in blocks]
    return blocks


def _covering(document: ExtractedText) -> Iterator[Block]:
    end_of_text = Block(BlockKind.PARAGRAPH, len(document.text), len(document.text))
    cursor = 0
    for block in (*document.blocks, end_of_text):
        if _visible(document.text, cursor, block.start):
            yield Block(BlockKind.PARAGRAPH, cursor, block.start)
        if _visible(document.text, block.start, block.end):
            yield block
        cursor = block.end


def _visible(text: str, start: int, end: int) -> bool:
    return start < end and (not text[start].isspace() or bool(text[start:end].strip()))


class _Assembly:
    """Makes parts of blocks: headings and furniture wait for the body that follows them."""

    def __init__(self, text: str, weigh: Weigh, most: int) -> None:
        self._text = text
        self._weigh = weigh
        self._most = most
        self._levels: list[tuple[int, str]] = []
        self._waiting: list[Block] = []
        self._last: tuple[Part, int | None] | None = None  # the part before, and its page

    def parts(self, blocks: Iterable[Block]) -> Iterator[Part]:
        """The parts, each whole when the next one comes."""
        for block in blocks:
            if block.kind in _NO_BODY:
                self._waiting.append(block)
                if block.kind is BlockKind.HEADING:
                    self._descend(block)
            else:
                yield from self._finish(block)
        yield from self._rest()

    def _descend(self, heading: Block) -> None:
        level = heading.level or 1
        while self._levels and self._levels[-1][0] >= level:
            self._levels.pop()
        self._levels.append((level, heading_name(self._text[heading.start : heading.end])))
        del self._levels[:-_DEPTH]

    def _finish(self, body: Block) -> Iterator[Part]:
        """The part of a body, with what waited for it, unless that is too much to stay together."""
        self._give_back((*self._waiting, body))
        opens = any(block.kind is BlockKind.HEADING for block in self._waiting)
        start = self._waiting[0].start if self._waiting else body.start
        if self._weigh(start, body.start) > self._most:
            yield from self._alone(self._waiting)
            start, opens = body.start, False
        part = Part(start, body.start, body.end, body.end, body.kind, self._path(), opens)
        self._waiting, self._last = [], (part, body.page)
        yield part

    def _give_back(self, blocks: tuple[Block, ...]) -> None:
        """Furniture that waits on the page of the part before, and not of what comes next, is that page's foot."""
        own = next((block.page for block in blocks if block.kind is not BlockKind.PAGE_FURNITURE), None)
        while self._last and self._waiting and self._waiting[0].kind is BlockKind.PAGE_FURNITURE:
            part, page = self._last
            foot = self._waiting[0]
            if foot.page != page or page == own or self._weigh(part.tail, foot.end) > self._most:
                return
            part.end = self._waiting.pop(0).end

    def _rest(self) -> Iterator[Part]:
        """What waits when nothing follows: the last page's foot, and headings of nothing."""
        while self._last and self._waiting and self._waiting[0].kind is BlockKind.PAGE_FURNITURE:
            part, _ = self._last
            if self._weigh(part.tail, self._waiting[0].end) > self._most:
                break
            part.end = self._waiting.pop(0).end
        yield from self._alone(self._waiting)

    def _alone(self, blocks: list[Block]) -> Iterator[Part]:
        """Headings as parts of their own, of which the first opens a section; furniture alone as one part."""
        first = next((block for block in blocks if block.kind is BlockKind.HEADING), None)
        if blocks and first is None:
            yield Part(blocks[0].start, blocks[0].start, blocks[-1].end, blocks[-1].end, blocks[0].kind, self._path())
            return
        for block in blocks:
            yield Part(block.start, block.start, block.end, block.end, block.kind, self._path(), block is first)

    def _path(self) -> tuple[str, ...]:
        return tuple(name for _, name in self._levels)


def _with_lists(parts: list[Part]) -> list[Part]:
    """The parts, items of one list made one."""
    joined: list[Part] = []
    items: list[int] = []
    for part in parts:
        before = joined[-1] if joined else None
        if before and _goes_on(before, part):
            before.tail, before.end = part.tail, part.end
            items.append(part.start)
            continue
        if before:
            before.items, items = tuple(items), []
        joined.append(part)
    if joined:
        joined[-1].items = tuple(items)
    return joined


def _goes_on(before: Part, part: Part) -> bool:
    """Whether an item is of the list before it, with nothing between them."""
    both = before.kind is part.kind is BlockKind.LIST_ITEM
    return both and not part.opens and part.start == part.body and before.tail == before.end
