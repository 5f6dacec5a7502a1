"""Cuts text into sentences, each a verbatim piece of it."""

import re
from collections.abc import Iterator
from typing import Final

# A sentence ends at . ! ? … (and their wide forms), closing quotes and brackets included, before white space; wide marks
# need none. A blank line always ends one; a single line break does when the next line starts an item or a table row.
_END: Final = re.compile(
    r"""
      (?P<mark>[.!?…]+["'”’»)\]]*)(?=\s)
    | [。！？]+[」』”]?
    | (?P<line>\n[ \t]*(?:\n|(?=[-*•|–]|\(?\d{1,3}[.)]\s)))
    | \n
    """,
    re.VERBOSE,
)
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\"'])(?:[A-Za-z]|[A-Za-z]\.[A-Za-z]|(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Gen|Col|Capt|Lt|Sen|Rep|Gov|Rev|Hon|No|Nos|Fig|Figs|Eq"
    r"|Sec|Ch|Vol|Art|pp?|vs|etc|cf|approx|est|ca|al|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec))$"
)
# A line shorter than this is a heading, a cell or an item: prose wraps later.
_SHORT_LINE: Final = 48
_LOOK_BACK: Final = 12
# How extractors separate the cells of a row; and how a row of a table without lines begins: with a code or a number.
_CELL: Final = " | "
_ROW: Final = re.compile(r"\w*\d")


def sentences(text: str) -> Iterator[str]:
    """Every sentence of `text` in order, without the white space around it."""
    start = 0
    for end in _END.finditer(text):
        if _continues(text, start, end):
            continue
        yield from _stripped(text[start : end.end()])
        start = end.end()
    yield from _stripped(text[start:])


def _stripped(piece: str) -> Iterator[str]:
    if stripped := piece.strip():
        yield stripped


def _continues(text: str, start: int, end: re.Match[str]) -> bool:
    """Whether what looks like an end is none."""
    if end["mark"]:
        following = text[end.end() :].lstrip()[:1]
        before = text[max(start, end.start() - _LOOK_BACK) : end.start()]
        return end["mark"] == "." and (following.islower() or bool(_ABBREVIATION.search(before)))
    return end.group() == "\n" and _wraps(text, end.start())


def _wraps(text: str, at: int) -> bool:
    """Whether the line that ends here is a piece of prose that goes on in the next, not a heading, an item or a row."""
    line = text[text.rfind("\n", 0, at) + 1 : at].rstrip()
    following = text[at + 1 : at + 1 + _LOOK_BACK].lstrip()
    if _CELL in line or line.endswith((":", ";")):
        return False
    return following[:1].islower() or (len(line) >= _SHORT_LINE and not _ROW.match(following))
