"""Which characters the stored text may hold."""

import re
import unicodedata

# What a person does not see and a reader does not need: controls, soft hyphens, zero-width spaces, byte order marks,
# direction overrides, non-characters (pdfium marks a hyphenated line end with U+FFFE) and tag characters, which hide
# instructions from people but not from models. Joiners (U+200C, U+200D) stay: Persian and emoji are spelled with them.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f"
)
_LINE_END = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_WIDE_SPACE = re.compile("[\xa0\u2007\u202f]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN = re.compile(f"[{_INVISIBLE}]+")
_ODD = re.compile(f"[{_INVISIBLE}\r\x0b\x0c\x85\u2028\u2029\xa0\u2007\u202f\ud800-\udfff]")


def clean(text: str) -> str:
    """The text as it may be stored: NFC, line feeds as line ends, no NUL, no lone surrogate, nothing invisible."""
    if text.isascii() and text.isprintable():
        return text
    if _ODD.search(text):
        text = _LINE_END.sub("\n", text)
        text = _WIDE_SPACE.sub(" ", text)
        text = _HIDDEN.sub("", text)
        text = _SURROGATE.sub("\ufffd", text)
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def one_line(text: str) -> str:
    """Cleaned, with every run of whitespace made one space: titles, headings, table cells."""
    return " ".join(clean(text).split())
