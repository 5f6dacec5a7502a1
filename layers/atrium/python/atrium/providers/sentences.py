"""Cuts text into sentences, each a verbatim piece of it."""

import re
from collections.abc import Iterator
from typing import Final

# A sentence ends at . ! ? … (and their forms in Arabic, Indic, Ethiopic, Armenian, Khmer and Burmese script), closing quotes
# and brackets included, before white space; wide marks need none. A blank line always ends one; a single line break does
# when the next line starts an item or a table row. Nothing is looked at twice: a text may be megabytes of full stops.
_END: Final = re.compile(
    r"""
      (?<![.!?…؟۔।॥።։។။])(?P<mark>[.!?…؟۔।॥።։។။]++["'”’»)\]]*+)(?=\s)
    | [。！？｡]++[」』”’）]*+
    | (?P<line>\n[ \t]*+(?:\n|(?=[-*•|–]|\(?\d{1,3}[.)]\s)))
    | \n
    """,
    re.VERBOSE,
)
_ABBREVIATION: Final = re.compile(
    r"(?:^|[\s(\"'])(?:[^\W\d_]|[^\W\d_]\.[^\W\d_]|(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Gen|Col|Capt|Lt|Sen|Rep|Gov|Rev|Hon|No|Nos|Figs?|Eq"
    r"|Sec|Ch|Vol|Art|pp?|vs|etc|cf|approx|est|ca|al|Inc|Ltd|Co|Corp|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
    r"|Nr|Abs|Abb|Kap|Bd|bzw|vgl|ggf|evtl|inkl|Hr|Mme|Mlle|Sra|Dra|Uds?|pág|núm|стр|рис|гл|см))$"
)
_NEXT: Final = re.compile(r"\s*+(\S?)")
# A line shorter than this is a heading, a cell or an item: prose wraps later.
_SHORT_LINE: Final = 48
_LOOK_BACK: Final = 12
# How extractors separate the cells of a row; and how a row of a table without lines begins: with a code or a number.
CELL: Final = " | "
_ROW: Final = re.compile(r"\w*\d")


def sentences(text: str) -> Iterator[str]:
    """Every sentence of `text` in order, without the white space around it."""
    start = 0
    for end in sentence_ends(text):
        yield from _stripped(text[start:end])
        start = end
    yield from _stripped(text[start:])


def sentence_ends(text: str, start: int = 0, stop: int | None = None) -> Iterator[int]:
    """The places in `text[start:stop]` after the end of each sentence, in order; the last sentence may have none."""
    for end in _END.finditer(text, start, len(text) if stop is None else stop):
        if not _continues(text, start, end):
            yield end.end()
            start = end.end()


def goes_on(text: str, start: int, mark: int, end: int) -> bool:
    """Whether the full stop at `mark` ends no sentence that begins at `start`: an abbreviation's, or small letters from `end`."""
    after = _NEXT.match(text, end)
    following = after[1] if after else ""
    return following.islower() or bool(_ABBREVIATION.search(text[max(start, mark - _LOOK_BACK) : mark]))


def _stripped(piece: str) -> Iterator[str]:
    if stripped := piece.strip():
        yield stripped


def _continues(text: str, start: int, end: re.Match[str]) -> bool:
    """Whether what looks like an end is none."""
    if end["mark"]:
        return end["mark"] == "." and goes_on(text, start, end.start(), end.end())
    return end.group() == "\n" and _wraps(text, end.start())


def _wraps(text: str, at: int) -> bool:
    """Whether the line that ends here is a piece of prose that goes on in the next, not a heading, an item or a row."""
    line = text[text.rfind("\n", 0, at) + 1 : at].rstrip()
    following = text[at + 1 : at + 1 + _LOOK_BACK].lstrip()
    if CELL in line or line.endswith((":", ";")):
        return False
    return following[:1].islower() or (len(line) >= _SHORT_LINE and not _ROW.match(following))
