"""The walk over a Word document's body."""

from collections.abc import Callable, Iterator

from lxml import etree

from atrium.documents.parsing.builder import TextBuilder
from atrium.documents.parsing.characters import one_line
from atrium.documents.parsing.docx_styles import Numbering, Styles
from atrium.documents.parsing.docx_xml import attribute, child, local_name
from atrium.documents.parsing.models import BlockKind

# Elements that only wrap others; deleted and moved-away text is in elements that are in neither set, and so left out.
_BLOCK_WRAPPERS = frozenset({"sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag"})
_INLINE_WRAPPERS = _BLOCK_WRAPPERS | {"r", "hyperlink", "fldSimple", "bdo", "dir", "ruby", "rubyBase"}
_CHARACTERS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_REFERENCES = {"footnoteReference": "footnote", "endnoteReference": "endnote"}
_GRAPHICS = frozenset({"drawing", "pict", "object"})
_CELL_SEPARATOR = " | "
_MAX_SPAN = 100


class Notes:
    """Footnotes and endnotes by id, read when the first of its kind is asked for: `load` gives the part of a kind."""

    def __init__(self, load: Callable[[str], etree._Element | None]) -> None:
        self._load = load
        self._notes: dict[str, dict[str, etree._Element]] = {}

    def get(self, kind: str, note_id: str) -> etree._Element | None:
        """The note that a reference means."""
        if kind not in self._notes:
            part = self._load(f"{kind}s")
            notes = [note for note in (part if part is not None else ()) if local_name(note) == kind]
            self._notes[kind] = {
                attribute(note, "id"): note for note in notes if not attribute(note, "type")
            }  # separators have one
        return self._notes[kind].get(note_id)


class BodyReader:
    """Adds the blocks of a body to a builder. `title` and `first_heading` are known after `read`."""

    def __init__(self, builder: TextBuilder, styles: Styles, numbering: Numbering, notes: Notes) -> None:
        self.title: str | None = None
        self.first_heading: str | None = None
        self._builder = builder
        self._styles = styles
        self._numbering = numbering
        self._notes = notes
        self._note_count = 0
        # What a paragraph refers to or floats beside it, written after the block it is in.
        self._due_notes: list[tuple[int, etree._Element]] = []
        self._due_boxes: list[etree._Element] = []

    def read(self, container: etree._Element) -> None:
        """Every paragraph and table below an element, in order."""
        for element in container:
            name = local_name(element)
            if name == "p":
                self._paragraph(element)
            elif name == "tbl":
                self._builder.add(BlockKind.TABLE, "\n".join(self._rows(element)))
            elif name in _BLOCK_WRAPPERS:
                self.read(element)
            elif name == "AlternateContent":
                for alternative in _chosen(element):
                    self.read(alternative)
            self._write_due()

    def texts(self, container: etree._Element) -> Iterator[str]:
        """The paragraphs below an element, each on one line, whatever holds them; no empty ones."""
        for element in container:
            name = local_name(element)
            if name == "p":
                text = one_line(self._inline(element))
                if text:
                    yield text
                for box in self._taken_boxes():
                    yield from self.texts(box)
            elif name == "tbl":
                yield from self._rows(element)
            elif name in _BLOCK_WRAPPERS:
                yield from self.texts(element)

    def _paragraph(self, element: etree._Element) -> None:
        properties = child(element, "pPr")
        style = attribute(child(properties, "pStyle"), "val")
        text = self._inline(element)
        if not text.strip():
            return
        level = self._styles.heading_level(style, properties)
        place = self._styles.list_place(style, properties)
        label = self._numbering.label(place) if place else ""
        labelled = f"{label} {text.lstrip()}" if label else text
        if level is not None:
            self._builder.add(BlockKind.HEADING, one_line(labelled), level)
            self._remember_heading(style, one_line(text))
        elif place or (style and self._styles.is_list(style)):
            self._builder.add(BlockKind.LIST_ITEM, labelled, place.level if place else 0)
        else:
            self._builder.add(BlockKind.PARAGRAPH, text)

    def _remember_heading(self, style: str, text: str) -> None:
        self.first_heading = self.first_heading or text
        if self.title is None and self._styles.is_title(style):
            self.title = text

    def _inline(self, element: etree._Element) -> str:
        pieces: list[str] = []
        self._collect(element, pieces.append)
        return "".join(pieces)

    def _collect(self, element: etree._Element, write: Callable[[str], None]) -> None:
        for item in element:
            name = local_name(item)
            if name == "t":
                write(item.text or "")
            elif name in _INLINE_WRAPPERS:
                self._collect(item, write)
            elif name in _CHARACTERS:
                write(_CHARACTERS[name])
            elif name in _REFERENCES:
                write(self._reference(_REFERENCES[name], attribute(item, "id")))
            elif name in _GRAPHICS:
                self._due_boxes.extend(_boxes(item))
            elif name == "AlternateContent":
                for alternative in _chosen(item):
                    self._collect(alternative, write)
            elif name in {"m:oMath", "m:oMathPara"}:
                write("".join(part.text or "" for part in item.iter() if local_name(part) == "m:t"))

    def _reference(self, kind: str, note_id: str) -> str:
        note = self._notes.get(kind, note_id)
        if note is None:
            return ""
        self._note_count += 1
        self._due_notes.append((self._note_count, note))
        return f"[{self._note_count}]"

    def _write_due(self) -> None:
        for box in self._taken_boxes():
            self.read(box)
        due, self._due_notes = self._due_notes, []
        for number, note in due:
            self._builder.add(BlockKind.FOOTNOTE, f"[{number}] {' '.join(self.texts(note))}")

    def _taken_boxes(self) -> list[etree._Element]:
        boxes, self._due_boxes = self._due_boxes, []
        return boxes

    def _rows(self, table: etree._Element) -> Iterator[str]:
        """A line for each row that has text. A cell merged downwards says its text in every row, so that rows stand alone."""
        above: dict[int, str] = {}
        for row in _inside(table, "tr"):
            cells: list[str] = []
            column = 0
            for cell in _inside(row, "tc"):
                properties = child(cell, "tcPr")
                text = " ".join(self.texts(cell))
                merge = child(properties, "vMerge")
                if merge is not None and attribute(merge, "val") != "restart":
                    text = text or above.get(column, "")
                above[column] = text
                cells.append(text)
                column += _span(properties)
            if any(cells):
                yield _CELL_SEPARATOR.join(cells)


def _inside(element: etree._Element, name: str) -> Iterator[etree._Element]:
    """The children of a name, also those in content controls and tracked changes."""
    for item in element:
        if local_name(item) == name:
            yield item
        elif local_name(item) in _BLOCK_WRAPPERS:
            yield from _inside(item, name)


def _chosen(alternatives: etree._Element) -> Iterator[etree._Element]:
    """One of several ways to say the same: the first choice, else the fallback."""
    chosen = child(alternatives, "Choice")
    fallback = child(alternatives, "Fallback")
    if chosen is not None:
        yield chosen
    elif fallback is not None:
        yield fallback


def _boxes(graphic: etree._Element) -> Iterator[etree._Element]:
    """The outermost text boxes in a drawing."""
    for item in graphic:
        name = local_name(item)
        if name == "txbxContent":
            yield item
        elif name == "AlternateContent":
            for alternative in _chosen(item):
                yield from _boxes(alternative)
        else:
            yield from _boxes(item)


def _span(properties: etree._Element | None) -> int:
    value = attribute(child(properties, "gridSpan"), "val", "1")
    return min(int(value), _MAX_SPAN) if value.isdecimal() and len(value) < 4 else 1  # noqa: PLR2004 - as many digits
