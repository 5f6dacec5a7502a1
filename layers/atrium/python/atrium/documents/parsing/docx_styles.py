"""Which paragraphs are headings or list items, and what number stands before them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from lxml import etree

from atrium.documents.parsing.docx_xml import Children, attribute, child, local_name

_HEADING_NAME = re.compile(r"heading (\d)$")
_MAX_CHAIN = 20
_BODY_OUTLINE = 9
_ROMAN = ((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"), (10, "x"))
_ROMAN_ONES = ("", "i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix")
_MAX_NUMBER = 100_000


class ListPlace(NamedTuple):
    """A paragraph's list and its depth there, from 0."""

    list_id: str
    level: int


class _Style(NamedTuple):
    name: str
    properties: etree._Element | None


class Styles:
    """The paragraph styles of a document, read when the first is asked for: `load` gives the part."""

    def __init__(self, load: Callable[[], bytes | None]) -> None:
        self._load = load
        self._headings: dict[str, int | None] = {}
        self._lists: dict[str, ListPlace | None] = {}

    @cached_property
    def _elements(self) -> Children:
        return Children(self._load() or b"", "style", "styleId")

    def heading_level(self, style_id: str, properties: etree._Element | None) -> int | None:
        """A heading's level, from 1: by the paragraph's own outline level, else by its style's, else by the style's name."""
        own = _outline_level(properties)
        if own is not None:
            return own or None
        if style_id not in self._headings:
            self._headings[style_id] = self._style_level(style_id)
        return self._headings[style_id]

    def is_title(self, style_id: str) -> bool:
        """Whether the style is the one of a document's title."""
        return any(style.name == "title" for style in self._chain(style_id))

    def list_place(self, style_id: str, properties: etree._Element | None) -> ListPlace | None:
        """The list that a paragraph, or its style, belongs to."""
        own = child(properties, "numPr")
        if own is not None:
            return _list_place(own)
        if style_id not in self._lists:
            inherited = (child(style.properties, "numPr") for style in self._chain(style_id))
            self._lists[style_id] = next((_list_place(numbering) for numbering in inherited if numbering is not None), None)
        return self._lists[style_id]

    def is_list(self, style_id: str) -> bool:
        """Whether a style without numbering is called a list, as templates do."""
        return any(style.name.startswith("list ") and style.name != "list paragraph" for style in self._chain(style_id))

    def _style_level(self, style_id: str) -> int | None:
        for style in self._chain(style_id):
            level = _outline_level(style.properties)
            if level is not None:
                return level or None
            named = _HEADING_NAME.match(style.name)
            if named or style.name == "title":
                return int(named[1]) if named else 1
        return None

    def _chain(self, style_id: str) -> list[_Style]:
        """A style and those it is based on; a circle ends after a while."""
        chain: list[_Style] = []
        while style_id and (element := self._elements.get(style_id)) is not None and len(chain) < _MAX_CHAIN:
            chain.append(_Style(attribute(child(element, "name"), "val").lower(), child(element, "pPr")))
            style_id = attribute(child(element, "basedOn"), "val")
        return chain


def _list_place(numbering: etree._Element) -> ListPlace | None:
    list_id = attribute(child(numbering, "numId"), "val", "0")
    return None if list_id == "0" else ListPlace(list_id, _number(attribute(child(numbering, "ilvl"), "val")))


@dataclass(slots=True)
class _List:
    levels: dict[int, tuple[str, str, int]] = field(default_factory=dict)
    counters: dict[int, int] = field(default_factory=dict)


class Numbering:
    """The running numbers of a document's lists, read when the first is asked for. Ask once a paragraph, in order."""

    def __init__(self, load: Callable[[], etree._Element | None]) -> None:
        self._load = load

    @cached_property
    def _lists(self) -> dict[str, _List]:
        root = self._load()
        elements = list(root) if root is not None else []
        abstract = {attribute(item, "abstractNumId"): _levels(item) for item in elements if local_name(item) == "abstractNum"}
        return {
            attribute(item, "numId"): _List(abstract.get(attribute(child(item, "abstractNumId"), "val"), {}))
            for item in elements
            if local_name(item) == "num"
        }

    def label(self, place: ListPlace) -> str:
        """What stands before the paragraph: "3.", "b)", "2.1", or "•"."""
        listed = self._lists.setdefault(place.list_id, _List())
        form, template, start = listed.levels.get(place.level, ("bullet", "", 1))
        if form == "bullet":
            return "•"
        listed.counters[place.level] = listed.counters.get(place.level, start - 1) + 1
        for deeper in [level for level in listed.counters if level > place.level]:
            del listed.counters[deeper]
        return re.sub(r"%(\d)", lambda found: self._counted(listed, int(found[1]) - 1), template)

    def _counted(self, listed: _List, level: int) -> str:
        form, _, start = listed.levels.get(level, ("decimal", "", 1))
        return _formatted(listed.counters.get(level, start), form)


def _levels(abstract: etree._Element) -> dict[int, tuple[str, str, int]]:
    """Depth → (number format, template such as "%1.%2", first number)."""
    return {
        _number(attribute(level, "ilvl")): (
            attribute(child(level, "numFmt"), "val", "decimal"),
            attribute(child(level, "lvlText"), "val"),
            _number(attribute(child(level, "start"), "val", "1")),
        )
        for level in abstract
        if local_name(level) == "lvl"
    }


def _outline_level(properties: etree._Element | None) -> int | None:
    """1 to 9; 0 for what says that it is body text; none for what says nothing."""
    level = child(properties, "outlineLvl")
    if level is None:
        return None
    value = _number(attribute(level, "val"))
    return 0 if value >= _BODY_OUTLINE else value + 1


def _number(text: str) -> int:
    return min(int(text), _MAX_NUMBER) if text.isdecimal() and len(text) <= len(str(_MAX_NUMBER)) else 0


def _formatted(value: int, form: str) -> str:
    if form == "none":
        return ""
    if form in {"lowerLetter", "upperLetter"}:
        letter = chr(ord("a") + (value - 1) % 26) * (1 + (value - 1) // 26 % 10)
        return letter if form == "lowerLetter" else letter.upper()
    if form in {"lowerRoman", "upperRoman"}:
        return _roman(value) if form == "lowerRoman" else _roman(value).upper()
    return f"{value:02d}" if form == "decimalZero" else str(value)


def _roman(value: int) -> str:
    written = ""
    for amount, letters in _ROMAN:
        count, value = divmod(value, amount)
        written += letters * count
    return written + _ROMAN_ONES[value]
