r"""Templates: text with `{{ name }}` where a value goes, and nothing else. No expressions, no conditions, no loops.

Two braces open a variable; of a longer run of braces the last two do, the others are text. A backslash before them makes them
text: `\{{` is `{{`. A backslash before that is text too: `\\{{name}}` is a backslash and the value. Anywhere else backslashes
and braces are what they are, so JSON and code need no care. Values are put in as they are and are never read as templates.

Reading takes time in proportion to the text, whatever is in it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

Value = str | int | float | bool

NAME: Final = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
# What follows the opening braces. Possessive: nothing is tried twice.
_REST: Final = re.compile(rf"[ \t]*+({NAME})[ \t]*+\}}\}}")
_OPEN: Final = "{{"


class TemplateError(ValueError):
    """A template that cannot be read; the text says where and what to write instead."""


class TooLong(ValueError):
    """The rendered text would be longer than allowed."""


@dataclass(frozen=True, slots=True)
class Variable:
    """A place for a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A template that was read: texts and places for values, in order."""

    pieces: tuple[str | Variable, ...]

    @property
    def names(self) -> frozenset[str]:
        """The variables it needs."""
        return frozenset(piece.name for piece in self.pieces if isinstance(piece, Variable))


def parse(text: str) -> Template:
    """Read a template. TemplateError names line and column of braces that open nothing."""
    return Template(tuple(_pieces(text)))


def render(templates: Sequence[Template], values: Mapping[str, Value], *, limit: int) -> list[str]:
    """Their texts with the values in them. KeyError for a value that is missing, TooLong for over `limit` characters in all."""
    texts = {name: as_text(values[name]) for name in names_of(templates)}
    whole = [[texts[piece.name] if isinstance(piece, Variable) else piece for piece in template.pieces] for template in templates]
    # Counted before anything is put together: a short template may name a long value very often.
    if sum(len(piece) for pieces in whole for piece in pieces) > limit:
        raise TooLong(f"has over {limit} characters with its values")
    return ["".join(pieces) for pieces in whole]


def names_of(templates: Iterable[Template]) -> frozenset[str]:
    """The variables that they need together."""
    return frozenset().union(*(template.names for template in templates))


def as_text(value: Value) -> str:
    """A value as a template shows it: text as it is, numbers and truth as JSON writes them."""
    return value if isinstance(value, str) else json.dumps(value)


def _pieces(text: str) -> Iterator[str | Variable]:
    at = 0
    while (opened := text.find(_OPEN, at)) >= 0:
        stem = text[at:opened].rstrip("\\")
        slashes = opened - at - len(stem)
        yield from filter(None, (stem, "\\" * (slashes // 2)))
        if slashes % 2:
            yield _OPEN
            at = opened + len(_OPEN)
            continue
        inner = _run_end(text, opened)
        yield from filter(None, (text[opened : inner - len(_OPEN)],))
        found = _REST.match(text, inner)
        if found is None:
            raise TemplateError(_complaint(text, opened))
        yield Variable(found[1])
        at = found.end()
    yield from filter(None, (text[at:],))


def _run_end(text: str, start: int) -> int:
    """Where a run of opening braces ends."""
    end = start
    while text.startswith("{", end):
        end += 1
    return end


def _complaint(text: str, place: int) -> str:
    line = text.count("\n", 0, place) + 1
    column = place - text.rfind("\n", 0, place)
    rule = r"after {{ a name and }} must come (letters, digits, _); write \{{ for the braces themselves"
    return f"line {line}, column {column}: {rule}"
