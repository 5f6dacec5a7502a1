"""What an HTML parser is not given: pages whose nesting or attributes cost it time that grows with their square."""

import re
from collections import Counter

from atrium.documents.parsing.failures import FailureKind, failed

_MAX_OPEN = 20_000  # browsers stop at 512; with this many, and list items between them, the parser takes two seconds
_MAX_ATTRIBUTES = 10_000
_TAG = re.compile(r"<(/?)([a-zA-Z][\w:-]{0,30})")
_LONG_TAG = re.compile(r"<[a-zA-Z][^<>]{20000,}")
# Elements that the next one ends, or that never hold anything: nobody closes them, and they do not nest.
_ENDED_NAMES = (
    "p li td th tr dt dd option optgroup thead tbody tfoot colgroup rt rp area base br col embed hr img input link meta param "
    "source track wbr html head body"
)
_ENDED = frozenset(_ENDED_NAMES.split())


def check_nesting(page: str) -> None:
    """Raise `corrupt` for a page that leaves too many elements open, or gives one too many attributes."""
    if any(tag[0].count("=") > _MAX_ATTRIBUTES for tag in _LONG_TAG.finditer(page)):
        raise failed(FailureKind.CORRUPT, f"The page has an element with more than {_MAX_ATTRIBUTES:,} attributes.")
    if page.count("<") <= _MAX_OPEN:
        return
    opened: Counter[str] = Counter()
    total = 0
    for tag in _TAG.finditer(page):
        name = tag[2].lower()
        if name in _ENDED:
            continue
        if not tag[1]:
            opened[name] += 1
            total += 1
        elif opened[name] > 0:  # what ends nothing ends nothing else
            opened[name] -= 1
            total -= 1
        if total > _MAX_OPEN:
            raise failed(FailureKind.CORRUPT, f"The page leaves more than {_MAX_OPEN:,} elements open.")
