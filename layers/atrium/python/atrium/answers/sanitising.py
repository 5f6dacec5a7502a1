"""Makes a model's output safe to show, piece by piece.

Whoever renders an answer as Markdown would load an image from, or offer a link to, wherever a hostile document told the
model to send what it knows. Nothing is parsed: wherever two characters stand together that an image, a link, a
definition or a tag needs, a space parts them; an address stays only where a passage has just that one or it is ours,
and leaves a word in its place otherwise. Whatever goes leaves something visible behind, so that what stood on its two
sides never meets. The same text comes out however it was cut, and comes out of a second round unchanged.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from atrium.kernel.invisible import visible

REMOVED: Final = "‹link removed›"
_NO_SOURCE: Final = "[?]"  # for the number of a passage that does not exist
_LONGEST: Final = 2048  # characters that may wait: no honest address is longer
_LONGEST_SCHEME: Final = 32
_BACK: Final = 320  # characters of what is out already: a scheme, a mailbox, a name with its parts
# Readers make links of bare e-mail addresses (also xmpp's) and of names with a path, too: what follows and, read backwards,
# what stands before it. A link ends at no space but ASCII's.
_REST: Final = re.compile(rf"[@/][^ \t\n<]{{0,{_LONGEST}}}")
_MAILBOX: Final = re.compile(r"[\w.+%-]{1,80}+")
_DOMAIN: Final = re.compile(r"(?:\d{1,5}:)?(?:[^\W\d_]{2,63}+|\w{1,59}--nx)(?:[.。．][\w-]{1,63}+)++", re.IGNORECASE)
# What begins an address; of an uncommon scheme only "://" is noticed, as its name is out already.
_BEGINNINGS: Final = ("http://", "https://", "ftp://", "ftps://", "ws://", "wss://", "mailto:", "www.", "://")
_ADDRESS: Final = re.compile(rf"(?:(?:https?|ftps?|wss?)?://|mailto:|www\.)[^ \t\n<]{{1,{_LONGEST}}}", re.IGNORECASE)
_STANDING: Final = re.compile(rf"(?:[a-z][a-z0-9+.-]{{0,31}}://|mailto:|www\.)[^ \t\n<]{{1,{_LONGEST}}}", re.IGNORECASE)
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*\Z", re.IGNORECASE)
_CORE: Final = re.compile(r"[^\s<>\"'`()\[\]{}|\\^]*")  # of an address: what no punctuation of the sentence is in
_TRAILING: Final = ".,;:!?*_~\"'`)]}>”’»"
_INTERESTING: Final = re.compile(r"[\[\]!<:hfwm@/]", re.IGNORECASE)
_JOINED: Final = re.compile(r"!\[|\]:|<[a-z/!?]", re.IGNORECASE)
_NUMBERS: Final = re.compile(r"\[[\s\d,]{0,64}")
_MARKER: Final = re.compile(r"\[\s*(\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]")
_TARGET: Final = re.compile(rf"\]\(([^\s<>\"'`()\[\]{{}}|\\^]{{0,{_LONGEST}}})")
# What comes out and where reading goes on; None: wait for more.
_Step = tuple[str, int] | None


@dataclass(slots=True)
class Sanitiser:
    """One answer's. `feed` and `finish` return what is safe now.

    `known`: texts whose bare addresses may be repeated. `host`: ours, where links may lead. `markers`: the citation
    numbers that exist; for others "[?]" comes out.
    """

    known: Collection[str] = ()
    host: str = ""
    markers: Collection[int] = ()
    _held: str = ""
    _before: str = "\n"
    _addresses: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._addresses = frozenset(address for text in self.known for address in _standing(text))

    def feed(self, text: str) -> str:
        """The next piece of the answer; may be empty."""
        self._held += visible(text, self._held[-1:] or self._before[-1:])
        return self._release(final=False)

    def finish(self) -> str:
        """What still waits, as no more is to come."""
        return self._release(final=True)

    def _release(self, *, final: bool) -> str:
        out: list[str] = []
        at = 0
        while at < len(self._held):
            found = _INTERESTING.search(self._held, at)
            start = found.start() if found else len(self._held)
            out.append(self._held[at:start])
            at = start
            if found is None:
                break
            step = self._step(at, final)
            if step is None:
                break
            text, at = step
            out.append(text)
        self._before = self._until(at)
        self._held = self._held[at:]
        return "".join(out)

    def _step(self, at: int, final: bool) -> _Step:
        match self._held[at]:
            case "[":
                return self._bracket(at, final)
            case "]" | "!" | "<":
                return self._pair(at, final)
            case "@" | "/":
                return self._bare(at, final)
        return self._address(at, final)

    def _bracket(self, at: int, final: bool) -> _Step:
        """A citation, but for its last bracket, which what follows may not join; or any other bracket."""
        end = _end(_NUMBERS, self._held, at)
        if end == len(self._held) and not final:
            return None
        marker = _MARKER.fullmatch(self._held, at, end + 1)
        return (self._existing(marker[1]).removesuffix("]"), end) if marker else ("[", at + 1)

    def _existing(self, numbers: str) -> str:
        existing = [int(number) for number in numbers.split(",") if int(number) in self.markers]
        return "".join(f"[{number}]" for number in existing) or _NO_SOURCE

    def _pair(self, at: int, final: bool) -> _Step:
        """The first of two characters that must not stand together."""
        first, following = self._held[at], self._held[at + 1 : at + 2]
        if not following:
            return (first, at + 1) if final else None
        if first + following == "](":
            return self._link(at, final)
        return (first + " " if _JOINED.match(self._held, at) else first), at + 1

    def _link(self, at: int, final: bool) -> _Step:
        """Where a link leads: it stays one if that is to us."""
        end = _end(_TARGET, self._held, at)
        if end == len(self._held) and not final:
            return None
        ours = self._held[end : end + 1] == ")" and self._is_ours(self._held[at + 2 : end])
        return (self._held[at : end + 1], end + 1) if ours else ("] ", at + 1)

    def _address(self, at: int, final: bool) -> _Step:
        """An address reaches to the next space or "<", as those that make links of bare addresses read it."""
        rest = self._held[at : at + 8].lower()
        if not final and at + len(rest) == len(self._held) and any(each.startswith(rest) for each in _BEGINNINGS):
            return None
        found = _ADDRESS.match(self._held, at)
        if found is None:
            return self._held[at], at + 1
        if found.end() == len(self._held) and not final:
            return None
        text, length = self._shown(found[0], self._scheme(at) if found[0].startswith(":") else "")
        return text, at + length

    def _bare(self, at: int, final: bool) -> _Step:
        """An address without a scheme: what makes it one is taken away, what is out already stays."""
        before = _named(self._until(at), self._held[at])
        if not before:
            return self._held[at], at + 1
        end = _end(_REST, self._held, at)
        if end == len(self._held) and not final:
            return None
        text, length = self._shown(self._held[at:end], before)
        return text, at + length

    def _shown(self, address: str, scheme: str) -> tuple[str, int]:
        """What is shown of an address, and how many of its characters that stands for."""
        whole = address.rstrip(_TRAILING)
        if len(address) <= _LONGEST and not re.search(r"[\[\]]", whole) and self._is_allowed(scheme + whole):
            return whole, len(whole)
        core = _core(address)
        return (core + " " if self._is_allowed(scheme + core) else REMOVED), len(core)

    def _scheme(self, at: int) -> str:
        found = _SCHEME.search(self._until(at)[-_LONGEST_SCHEME:])
        return found[0] if found else ""

    def _until(self, at: int) -> str:
        return (self._before + self._held[max(0, at - _BACK) : at])[-_BACK:]

    def _is_allowed(self, address: str) -> bool:
        return address in self._addresses or self._is_ours(address)

    def _is_ours(self, target: str) -> bool:
        if not self.host or not target.isascii() or not _CORE.fullmatch(target):
            return False
        try:
            parts = urlsplit(target)
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == self.host.lower()


def _standing(text: str) -> Iterator[str]:
    """The addresses that stand in a text: as they are, and up to the first punctuation that may not belong to them."""
    at = 0
    while found := _STANDING.search(text, at):
        core = _core(found[0])
        yield from (each for each in (found[0].rstrip(_TRAILING), core) if len(each) <= _LONGEST)
        at = found.start() + len(core)
    for found in _REST.finditer(text):
        if before := _named(text[max(0, found.start() - _BACK) : found.start()], found[0][0]):
            yield from (before + each for each in (found[0].rstrip(_TRAILING), _core(found[0])))


def _named(before: str, mark: str) -> str:
    """The mailbox that ends here, or the name of a host; '' where there is none."""
    found = (_MAILBOX if mark == "@" else _DOMAIN).match(before[::-1])
    return found[0][::-1] if found else ""


def _core(address: str) -> str:
    """Not empty: what begins an address ends in none of what is cut off, or in a single mark of it."""
    return address[: _end(_CORE, address, 0)].rstrip(_TRAILING)


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
