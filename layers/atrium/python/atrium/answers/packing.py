"""Which of the passages found a model is shown, and how they are put together."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final

from atrium.answers.models import Source
from atrium.kernel.invisible import visible
from atrium.retrieval.models import Hit

_FRAME: Final = 50  # tokens of the tags around a passage, without its document's name
_NAME: Final = 120  # characters of a document's name that the model is shown: a name may be longer than a small window
# Between neighbours there is white space that neither has; more may be a passage that was not found.
_NEIGHBOURLY: Final = 2


@dataclass(frozen=True, slots=True)
class Packed:
    """What the model is shown, best first, and how many passages were left out or cut for want of room."""

    sources: tuple[Source, ...]
    dropped: int


def pack(hits: Sequence[Hit], tokens: int, count: Callable[[str], int]) -> Packed:
    """As many whole passages as fit into `tokens`, the best first; neighbours in one document become one source.

    Where not even one fits, the best is cut to what does; none where there is no room for a character of it.
    """
    chosen: list[Hit] = []
    for hit in hits:
        cost = count(hit.text) + count(shown_name(hit)) + _FRAME
        if cost <= tokens:
            chosen.append(hit)
            tokens -= cost
    dropped = len(hits) - len(chosen)
    if hits and not chosen:
        room = tokens - count(shown_name(hits[0])) - _FRAME
        chosen = [_cut(hits[0], room, count)] if count(hits[0].text[:1]) <= room else []
    runs = sorted(_runs(chosen), key=lambda run: min(map(chosen.index, run)))
    return Packed(tuple(Source(marker, tuple(run)) for marker, run in enumerate(runs, 1)), dropped)


def shown_name(hit: Hit) -> str:
    """A document's name as it stands in the frame of its passage."""
    name = visible(hit.document_name).replace('"', "'").replace("<", "‹").replace(">", "›").replace("\n", " ")
    return name if len(name) <= _NAME else name[: _NAME - 1] + "…"


def _runs(hits: Sequence[Hit]) -> list[list[Hit]]:
    """The passages of each document in the order of its text, those together that touch."""
    runs: list[list[Hit]] = []
    ordered = sorted(hits, key=lambda hit: (hit.document_id, hit.version, hit.char_start, hit.char_end))
    for _, document in groupby(ordered, key=lambda hit: (hit.document_id, hit.version)):
        end = None
        for hit in document:
            if end is not None and hit.char_start - end <= _NEIGHBOURLY:
                runs[-1].append(hit)
                end = max(end, hit.char_end)
            else:
                runs.append([hit])
                end = hit.char_end
    return runs


def _cut(hit: Hit, tokens: int, count: Callable[[str], int]) -> Hit:
    """The beginning of a passage, up to a word's end; at least a character of it."""
    low, high = 1, len(hit.text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if count(hit.text[:middle]) <= tokens else (low, middle - 1)
    text = hit.text[:low]
    whole = text.rsplit(maxsplit=1)[0] if low < len(hit.text) and " " in text.strip() else text
    return replace(hit, text=whole, char_end=hit.char_start + len(whole))
