"""Finds a quote in the text it is said to come from.

Models copy with small changes: other quotation marks and dashes, other spacing, a table's row without its bars, a hyphen of a
broken line joined, another case, emphasis, invisible characters gone, Arabic and Hebrew without their vowel marks. The comparison
forgives exactly these and nothing that carries meaning; what is found is given as a span of the original.
"""

import re
import unicodedata
from array import array
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final

from atrium.providers.sentences import sentence_ends

Span = tuple[int, int]

MIN_WEIGHT: Final = 4  # letters and digits, ideographs counting double: less proves nothing
_SINGLE: Final = frozenset("'‘’‚‛`´‹›＇")
_DOUBLE: Final = frozenset('"“”„‟«»「」『』＂')
_SPACED: Final = frozenset(" !<]")  # after these a space says nothing: answers are defused with it
_DASHES: Final = frozenset("‐‑‒–—―−﹘﹣－")
# Arabic and Hebrew vowel marks and the stroke that stretches a word: most texts are written without.
_VOWELS: Final = dict.fromkeys(
    [0x0640, *range(0x064B, 0x0653), 0x0670, *range(0x0591, 0x05BE), 0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7]
)
# Thai, Lao, Burmese, Khmer: words of these stand together as ideographs do.
_UNSPACED: Final = (("\u0e00", "\u0eff"), ("\u1000", "\u109f"), ("\u1780", "\u17ff"))
_SKIPPED: Final = re.compile(
    r"\[\s*(?:\?|\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]"  # markers, the model's own, those of the text and of no passage
    r"|(?<!\w)[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?!\w)"  # emphasis
)
_EDGE: Final = frozenset("\"'*_.,;:!?()[]")  # what no quote is about, at its ends
_ELLIPSIS: Final = re.compile(r"\[\s*+(?:\.{3}|…)\s*+\]|\.{3,}+|…")

# What an ellipsis may leave out, in characters, and in one sentence.
_GAP: Final = 200
_FAR: Final = 1000
_WORD: Final = re.compile(r"[^\W\d_]++(?:['’][^\W\d_]++)*+")
# Words that turn a statement around, in the languages most asked for.
_DENIAL_WORDS: Final = """
no not never none nobody nothing nor neither without cannot false denied denies fails failed hardly barely
nicht kein keine keiner keinem keinen keines nie niemals niemand nichts weder ohne kaum
ne pas jamais aucun aucune rien personne sans ni nunca ningún ninguno ninguna nada nadie sin tampoco
não nem nenhum nenhuma sem ninguém non mai nessun nessuno nessuna niente nulla né senza
niet geen nooit niets niemand zonder noch nigdy żaden żadna żadne bez ani
не ни нет никогда никто ничто ничего без нельзя ні немає
inte ej aldrig ingen inget inga utan ikke aldri intet uden uten değil yok asla hiç hiçbir olmadan
لا ليس ليست لم لن ما غير بدون לא אין בלי مگر نه نیست नहीं न मत बिना
"""
_DENIALS: Final = frozenset(_DENIAL_WORDS.split())
_DENIALS_UNSPACED: Final = ("不", "没", "沒", "无", "無", "非", "未", "ない", "なかっ", "ません", "않", "없", "아니", "ไม่")

_ACCOUNTED: Final = re.compile(r"\((\d[\d.,' ]{0,30}+)\)")
_YEAR: Final = re.compile(r"(?:1[5-9]|20)\d\d|\d{1,2}")  # "(2024)", "(3)": a year, an item


class _BrokenLine(Enum):
    """What becomes of a hyphen that ends a line: of "exam-", "ple" and of "well-", "known"."""

    KEPT = 0
    JOINED = 1
    HYPHENATED = 2


@dataclass(frozen=True, slots=True)
class _Folded:
    """A text as it is compared, and for each of its characters the place in the original."""

    text: str
    places: array[int]


def locate(quote: str, text: str) -> Span | None:
    """Where `text` says `quote`: [start, end) in characters of `text`; None where it does not.

    Whole words and numbers only: "legal" is not quoted from "illegal", nor "5" from "-5", "5.7" or "5%".
    """
    for broken in _BrokenLine:
        whole = _fold(quote, broken).text
        wanted = _trimmed(whole)
        if weight(wanted) >= MIN_WEIGHT and (found := _search(wanted, _fold(text, broken), bracketed="(" in whole[:2])):
            return found
    return None


def locate_parts(quote: str, text: str) -> list[Span]:
    """The spans of a quote, in order: several where it leaves something out ("a … b"); none when any part is not there.

    What is left out is short, or in one sentence, and holds no word that denies: it could turn what is quoted around.
    """
    if whole := locate(quote, text):
        return [whole]
    spans: list[Span] = []
    for part in _ELLIPSIS.split(quote):
        if not _trimmed(part):
            continue
        after = spans[-1][1] if spans else 0
        found = locate(part, text[after : after + _FAR + len(part)] if spans else text)
        if found is None or (spans and not _may_be_left_out(text, after, after + found[0])):
            return []
        spans.append((found[0] + after, found[1] + after))
    return spans


def _may_be_left_out(text: str, start: int, end: int) -> bool:
    gap = text[start:end]
    if any(_denies(word) for word in _WORD.findall(gap)) or any(each in gap for each in _DENIALS_UNSPACED):
        return False
    return len(gap) <= _GAP or next(sentence_ends(text, start, end), None) is None


def _denies(word: str) -> bool:
    folded = word.casefold().replace("’", "'")
    return folded in _DENIALS or folded.startswith("n'") or folded.endswith("n't")


def _trimmed(text: str) -> str:
    """Without the marks and spaces at its ends; a full stop before a digit begins a number."""
    start, end = 0, len(text)
    while end and (text[end - 1] in _EDGE or text[end - 1].isspace()):
        end -= 1
    while start < end and (text[start] in _EDGE or text[start].isspace()):
        if text[start] == "." and text[start + 1].isdigit():
            break
        start += 1
    return text[start:end]


def _search(wanted: str, folded: _Folded, *, bracketed: bool) -> Span | None:
    start = folded.text.find(wanted)
    while start >= 0:
        end = start + len(wanted)
        if _is_whole(folded.text, start, end) and (bracketed or not _is_accounted(folded.text, start)):
            return folded.places[start], folded.places[end - 1] + 1
        start = folded.text.find(wanted, start + 1)
    return None


def weight(text: str) -> int:
    """How much a text can prove: its letters and digits, ideographs counting double."""
    return sum((2 if _is_ideograph(each) else 1) for each in text if each.isalnum())


def _is_ideograph(character: str) -> bool:
    return "\u2e80" <= character <= "\ud7ff" or character >= "\U00020000"


def _stands_alone(character: str) -> bool:
    """Whether a word may end beside this letter without a space."""
    return _is_ideograph(character) or any(first <= character <= last for first, last in _UNSPACED)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether no word or number goes on beyond the span, on either side."""
    before, after = text[max(0, start - 3) : start][::-1], text[end : end + 2]
    if _same_word(text[start], before) or _same_word(text[end - 1], after):
        return False
    return not (text[start].isdigit() and _in_number_before(before)) and not (text[end - 1].isdigit() and _in_number_after(after))


def _same_word(edge: str, beyond: str) -> bool:
    """`beyond`: the next characters outwards, the nearest first."""
    if not beyond or not edge.isalnum() or _stands_alone(edge):
        return False
    return (beyond[0].isalnum() and not _stands_alone(beyond[0])) or unicodedata.combining(beyond[0]) > 0


def _is_accounted(text: str, start: int) -> bool:
    """Whether the number at `start` stands in brackets, as accounts write a loss: "(1,200)"."""
    around = _ACCOUNTED.match(text, start - 1) if start and text[start].isdigit() else None
    return around is not None and not _YEAR.fullmatch(around[1])


def _in_number_before(before: str) -> bool:
    nearest = before.lstrip(" ")[:1]
    if nearest in {"<", ">", "~", "≤", "≥", "±", "≈"}:
        return True
    if before[:1] == "-":
        return not before[1:2].isalnum()  # a sign, not a range or a compound
    return before[:1] in {".", ","} or (before[:1] in {":", "/"} and before[1:2].isdigit())


def _in_number_after(after: str) -> bool:
    return after[:1] in {"%", "‰", "°"} or (after[:1] in {".", ",", ":", "/"} and after[1:2].isdigit())


@lru_cache(maxsize=128)
def _fold(text: str, broken: _BrokenLine) -> _Folded:
    """Case, marks, dashes and spacing made one; markers, emphasis and what is invisible left out."""
    characters: list[str] = []
    places = array("q")
    skipped = {place for found in _SKIPPED.finditer(text) for place in range(*found.span())}
    for place, character in enumerate(text):
        if place in skipped:
            continue
        if broken is not _BrokenLine.KEPT and character == "\n" and _ends_broken(characters):
            if broken is _BrokenLine.JOINED:
                characters.pop()
                places.pop()
            continue
        for folded in _fold_character(character, after_digit=characters[-1:] != [] and characters[-1].isdigit()):
            if folded != " " or (characters and characters[-1] not in _SPACED):
                characters.append(folded)
                places.append(place)
    return _Folded("".join(characters), places)


def _ends_broken(characters: list[str]) -> bool:
    return len(characters) > 1 and characters[-1] == "-" and characters[-2].isalpha()


@lru_cache(maxsize=8192)
def _fold_character(character: str, *, after_digit: bool) -> str:
    if character.isspace() or character == "|":
        return " "
    if character in _DASHES:
        return "-"
    if character in _SINGLE or character in _DOUBLE:
        return "'" if after_digit and character in _SINGLE else '"'  # feet and inches stay apart
    category = unicodedata.category(character)
    if category in {"Cf", "Cc"}:
        return ""
    if category == "No" or "가" <= character <= "힣":
        return character  # 10² is not 102, nor half a syllable a syllable
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return folded.translate(_VOWELS)
