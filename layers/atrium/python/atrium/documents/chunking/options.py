"""How a collection's documents are cut: what an administrator chooses, checked where it comes in."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Final, Self, cast

from atrium.kernel.errors import FieldError, InvalidFields

MAX_TOKENS: Final = 512
MIN_TOKENS: Final = 64


class ChunkMode(StrEnum):
    """What a chunk is made of.

    fixed: as many tokens as fit, cut between words. recursive: paragraphs, else their lines, sentences, words.
    sentence: whole sentences. heading: a section's paragraphs, lists, code and table rows, never two sections'.
    """

    FIXED = "fixed"
    RECURSIVE = "recursive"
    SENTENCE = "sentence"
    HEADING = "heading"


@dataclass(frozen=True, slots=True)
class ChunkingOptions:
    """`max_tokens`: a chunk's embedding input, header and special tokens included; None: as much as the model reads.

    Never more than the model reads is used. `overlap_tokens`: how much of a chunk the next one may repeat, at most half
    a chunk. `contextual`: whether title, heading path and table header are embedded before the text.
    Raise `InvalidFields` for values out of range.
    """

    mode: ChunkMode = ChunkMode.HEADING
    max_tokens: int | None = None
    overlap_tokens: int = 0
    contextual: bool = True

    def __post_init__(self) -> None:
        if errors := tuple(_errors(self)):
            raise InvalidFields(errors)

    @classmethod
    def parse(cls, value: Mapping[str, object], at: str = "/chunking") -> Self:
        """From JSON; what is left out has its default. Raise `InvalidFields` with pointers below `at`."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(str(name) for name in value if name not in known):
            raise InvalidFields(tuple(FieldError(f"{at}/{name}", "There is no such option.") for name in unknown))
        try:
            return cls(**_with_mode(value))
        except InvalidFields as wrong:
            raise InvalidFields(tuple(FieldError(at + error.pointer, error.detail) for error in wrong.errors)) from None

    def to_json(self) -> dict[str, Any]:
        """The inverse of `parse`, every option spelled out."""
        return {
            "mode": self.mode.value,
            "max_tokens": self.max_tokens,
            "overlap_tokens": self.overlap_tokens,
            "contextual": self.contextual,
        }


def _with_mode(value: Mapping[str, object]) -> dict[str, Any]:
    """The values as they are, the mode's name made the mode where it is one."""
    known = {mode.value: mode for mode in ChunkMode}
    return {name: known.get(each, each) if name == "mode" and isinstance(each, str) else each for name, each in value.items()}


def _errors(options: ChunkingOptions) -> Iterator[FieldError]:
    """What is wrong with values that JSON may have brought: any type is possible."""
    mode, size, overlap, contextual = (cast("object", getattr(options, field.name)) for field in fields(options))
    if not isinstance(mode, ChunkMode):
        yield FieldError("/mode", f"The mode is one of {', '.join(ChunkMode)}.")
    if size is not None and not _within(size, MIN_TOKENS, MAX_TOKENS):
        yield FieldError("/max_tokens", f"A whole number from {MIN_TOKENS} to {MAX_TOKENS}, or null.")
    most = (size if isinstance(size, int) and _within(size, MIN_TOKENS, MAX_TOKENS) else MAX_TOKENS) // 2
    if not _within(overlap, 0, most):
        yield FieldError("/overlap_tokens", f"A whole number from 0 to {most}, half of max_tokens.")
    if not isinstance(contextual, bool):
        yield FieldError("/contextual", "True or false.")


def _within(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
