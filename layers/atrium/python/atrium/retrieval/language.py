"""Tells which language a text is in: of documents and chunks at ingest, of questions when they are asked."""

from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# What people write documents in, and every language with a stemmer that can be told. Leaving out those that short texts are
# mistaken for (Afrikaans for Dutch, Luxembourgish for German) reads many more questions right than it reads wrong.
LANGUAGES: Final = frozenset({
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "eu", "fa", "fi", "fr", "ga", "gu", "he",
    "hi", "hr", "hu", "hy", "id", "it", "ja", "ka", "kn", "ko", "lt", "lv", "ml", "mr", "ne", "nl", "no", "pa",
    "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "ta", "te", "th", "tr", "uk", "ur", "vi", "zh",
})  # fmt: skip
_NO_LANGUAGE: Final = "zxx"  # numbers, codes, markup
_LOOKED_AT: Final = 4_000  # characters, in parts from all over the text: front matter is often in another language
_PARTS: Final = 4
_SURE: Final = 0.4  # measured on questions: below it, more are wrong than right
# What is added to the chance of a language that is likely beforehand: of the commonest of a script, of a chunk's document's.
_FAVOURED: Final = {"en": 0.25, "ru": 0.3}
_PRIOR: Final = 0.8
_POSSIBLE: Final = 0.001  # below it, a text is in another script, or long and plain enough to be its own judge
# Letters that nearly every sentence of these has, where it is written in Cyrillic at all.
_OWN_LETTERS: Final = {"sr": frozenset("јљњђћџ"), "uk": frozenset("іїєґ")}
_loading: Final = Lock()


def detect(text: str, prior: str = "") -> str:
    """The ISO 639-1 code of the language a text is in; '' when it cannot be told.

    `prior`: the language of what the text is a part of, which short parts and tables are then taken to be in. The first call in
    a process takes half a second (it reads the model), others 0.3 µs a character, of which at most 4,000 are read.
    """
    sample = _sample(text)
    if not any(map(str.isalpha, sample)):
        return prior
    with _loading:
        identifier = _identifier()
    chances: dict[str, float] = dict(identifier.rank(sample))
    for language in _ruled_out(sample.lower()):
        chances[language] = 0
    favours = {**_FAVOURED, prior: _PRIOR}
    likely = {language: chance + favours.get(language, 0) for language, chance in chances.items() if chance >= _POSSIBLE}
    best = max(likely, key=lambda language: likely[language])
    if best == _NO_LANGUAGE or likely[best] < _SURE:
        return prior if prior in likely else ""
    return best


def _ruled_out(sample: str) -> list[str]:
    if not any("\u0400" <= each <= "\u04ff" for each in sample):
        return []
    return [language for language, letters in _OWN_LETTERS.items() if letters.isdisjoint(sample)]


def _sample(text: str) -> str:
    if len(text) <= _LOOKED_AT:
        return text
    part, step = _LOOKED_AT // _PARTS, (len(text) - _LOOKED_AT // _PARTS) // (_PARTS - 1)
    return "\n".join(text[start : start + part] for start in range(0, step * _PARTS, step))


@lru_cache(maxsize=1)
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([*LANGUAGES, _NO_LANGUAGE])
    return identifier
