"""Makes a model's output safe to show, piece by piece.

Whoever renders an answer as Markdown would load an image from, or offer a link to, wherever a hostile document told the
model to send what it knows. So images go, links keep their text alone, HTML with attributes goes, bare addresses stay only
where a passage has them or they are our own. What may yet become such a thing waits until it is whole; what waits too
long is let out defused.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from atrium.answers.invisible import visible

REMOVED: Final = "‹link removed›"
_PATIENCE: Final = 2048  # characters that may wait: no honest link is longer
_SCHEMES: Final = ("http://", "https://", "ftp://", "ftps://", "ws://", "wss://", "mailto:", "www.")
_ADDRESS: Final = re.compile(r"(?:(?:https?|ftps?|wss?)://|mailto:|www\.)[^\s<>\"')\]]+", re.IGNORECASE)
_INTERESTING: Final = re.compile(r"[\[\]!<hfwm]", re.IGNORECASE)
_MARKER: Final = re.compile(r"\[\s*(\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]")
_HOSTILE_TAG: Final = re.compile(
    r"</?(?:a|audio|base|body|button|embed|form|frame|frameset|head|html|iframe|image|img|input|link|math|meta|object|picture"
    r"|script|source|style|svg|template|track|video)\b|<[^>]*=|<[!?]",
    re.IGNORECASE,
)
# What comes out and where reading goes on; None: wait for more.
_Step = tuple[str, int] | None


@dataclass(slots=True)
class Sanitiser:
    """One answer's. `feed` and `finish` return what is safe now.

    `known`: texts whose bare addresses may be repeated. `host`: ours, where links may lead. `markers`: the citation
    numbers that exist; others go.
    """

    known: Collection[str] = ()
    host: str = ""
    markers: Collection[int] = ()
    _held: str = ""
    _before: str = "\n"

    def feed(self, text: str) -> str:
        """The next piece of the answer; may be empty."""
        self._held += visible(text, self._held[-1:] or self._before)
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
            step = self._step(at, final or len(self._held) - at > _PATIENCE)
            if step is None:
                break
            text, at = step
            out.append(text)
        released = "".join(out)
        self._before = self._held[at - 1 : at] or self._before
        self._held = self._held[at:]
        return released

    def _step(self, at: int, final: bool) -> _Step:
        match self._held[at]:
            case "[":
                return self._bracket(at, final, image=False)
            case "!":
                return self._exclamation(at, final)
            case "]":
                return self._closing(at, final)
            case "<":
                return self._tag(at, final)
        return self._address(at, final)

    def _exclamation(self, at: int, final: bool) -> _Step:
        following = self._held[at + 1 : at + 2]
        if not following:
            return ("!", at + 1) if final else None
        return self._bracket(at + 1, final, image=True) if following == "[" else ("!", at + 1)

    def _closing(self, at: int, final: bool) -> _Step:
        """The end of a bracket whose beginning is out already: it may not become a link's."""
        following = self._held[at + 1 : at + 2]
        if not following and not final:
            return None
        return ("] ", at + 1) if following in {"(", "["} else ("]", at + 1)

    def _bracket(self, at: int, final: bool, *, image: bool) -> _Step:
        end = _matching(self._held, at, "[", "]")
        if end is None:
            return ("[", at + 1) if final or "\n\n" in self._held[at:] else None
        following = self._held[end + 1 : end + 2]
        if not following and not final:
            return None
        if following == "(":
            return self._link(at, end, final, image=image)
        if image:
            label = _matching(self._held, end + 1, "[", "]") if following == "[" else end
            return ("", (label or end) + 1) if label or final else None
        return self._label(at, end, defines=following == ":" and self._starts_line(at))

    def _label(self, at: int, end: int, *, defines: bool) -> _Step:
        """A citation, or any other brackets. `defines`: it would make a link of every such label; it loses its colon."""
        after = end + 2 if defines else end + 1
        if marker := _MARKER.fullmatch(self._held, at, end + 1):
            return self._marker(marker), after
        return (f"[{self._inner(at, end)}]", after) if defines else ("[", at + 1)

    def _link(self, at: int, end: int, final: bool, *, image: bool) -> _Step:
        close = _matching(self._held, end + 1, "(", ")")
        if close is None and not final:
            return None
        after = len(self._held) if close is None else close + 1
        if image:
            return "", after
        text, target = self._inner(at, end), self._held[end + 2 : close].strip()
        return (f"[{text}]({target})" if close and self._is_ours(target) else text), after

    def _tag(self, at: int, final: bool) -> _Step:
        following = self._held[at + 1 : at + 2]
        if following and not (following.isalpha() or following in "/!?"):
            return "<", at + 1
        end = self._held.find(">", at)
        if end < 0:
            return ("", at + 1) if final else None
        inside = self._held[at + 1 : end]
        if address := _ADDRESS.fullmatch(inside):
            return self._allowed(address.group()), end + 1
        return ("", end + 1) if _HOSTILE_TAG.match(self._held, at) or ":" in inside else ("<", at + 1)

    def _address(self, at: int, final: bool) -> _Step:
        rest = self._held[at : at + 8].lower()
        if not final and at + len(rest) == len(self._held) and any(scheme.startswith(rest) for scheme in _SCHEMES):
            return None
        found = _ADDRESS.match(self._held, at)
        if found is None:
            return self._held[at], at + 1
        if found.end() == len(self._held) and not final:
            return None
        address = found.group().rstrip(".,;:!?*_")
        return self._allowed(address), at + len(address)

    def _marker(self, marker: re.Match[str]) -> str:
        numbers = [int(number) for number in marker.group(1).split(",") if int(number) in self.markers]
        return "".join(f"[{number}]" for number in numbers)

    def _inner(self, at: int, end: int) -> str:
        inner = Sanitiser(self.known, self.host, self.markers)
        return inner.feed(self._held[at + 1 : end]) + inner.finish()

    def _allowed(self, address: str) -> str:
        return address if self._is_ours(address) or any(address in text for text in self.known) else REMOVED

    def _is_ours(self, target: str) -> bool:
        try:
            parts = urlsplit(target)
        except ValueError:
            return False
        plain = re.fullmatch(r"[!-~]+", target) and "\\" not in target
        return bool(plain and self.host) and parts.scheme in {"http", "https"} and parts.netloc.lower() == self.host.lower()

    def _starts_line(self, at: int) -> bool:
        line = self._held[:at].rpartition("\n")[2] if "\n" in self._held[:at] or self._before == "\n" else "x"
        return not line.strip()


def _matching(text: str, at: int, opening: str, closing: str) -> int | None:
    """Where the bracket that opens at `at` closes; None where it does not, or not in this paragraph."""
    depth = 0
    for place in range(at, len(text)):
        if text[place] == opening:
            depth += 1
        elif text[place] == closing:
            depth -= 1
            if depth == 0:
                return place
        elif text.startswith("\n\n", place):
            return None
    return None
