"""Which of the languages with a stemmer a text is in, from its most frequent small words."""

import re
from typing import Final

_SAMPLE: Final = 20_000  # characters: enough for any prose to show itself
_WORD: Final = re.compile(r"[^\W\d_]+")
_ENOUGH: Final = 0.1  # share of small words: prose has about 0.2, tables, code and other languages far less

_FEW: Final = 40  # words


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that are frequent in one of the four and rare or absent in the others.
_SMALL_WORDS: Final = {
    "en": _words("the and of to is that for with as was it this are from which by have not were been their has"),
    "de": _words("der die und das ist nicht mit den von zu ein eine auf für sich dem im wird auch werden oder einer"),
    "fr": _words("le la les des et une est que dans pour qui par sur pas au ce avec sont plus du cette aux"),
    "es": _words("el los las que y en del se por una con para es su al como más lo fue este pero"),
}


def detect_language(text: str) -> str:
    """`en`, `de`, `fr` or `es`; empty for anything else, which is then searched without stemming."""
    words = _WORD.findall(text[:_SAMPLE].lower())
    if not words:
        return ""
    shares = {language: sum(word in small for word in words) / len(words) for language, small in _SMALL_WORDS.items()}
    best = max(shares, key=lambda language: shares[language])
    if shares[best] >= _ENOUGH:
        return best
    # A heading, a form, a few cells: too little to tell by, and most of it is English.
    return "en" if len(words) < _FEW and text.isascii() else ""
