"""What people say of their documents and collections, in their own words."""

import json
from typing import Any, Final

from atrium.kernel.errors import FieldError, InvalidFields

# Of JSON. Filters read it with every search.
MAX_METADATA: Final = 16 * 1024
MAX_ELEMENTS: Final = 100  # of a list, which a filter compares one by one


def flaw(metadata: dict[str, Any]) -> str:
    """What is wrong with it, such as `is longer than …`; empty when nothing is."""
    if len(json.dumps(metadata)) > MAX_METADATA:
        return f"is longer than {MAX_METADATA:,} bytes of JSON"
    if any(isinstance(value, list) and len(value) > MAX_ELEMENTS for value in metadata.values()):
        return f"has a list of more than {MAX_ELEMENTS} elements"
    return ""


def merged(metadata: dict[str, Any], change: dict[str, Any] | None) -> dict[str, Any]:
    """The metadata with the change's keys over it; a null removes its key. `InvalidFields` when it becomes too large."""
    if change is None:
        return metadata
    both = {key: value for key, value in {**metadata, **change}.items() if value is not None or key not in change}
    if wrong := flaw(both):
        raise InvalidFields((FieldError("/metadata", wrong),))
    return both
