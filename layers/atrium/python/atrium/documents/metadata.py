"""What people say of their documents and collections, in their own words."""

import json
from typing import Any, Final

from atrium.kernel.errors import FieldError, InvalidFields

# Of JSON. Filters read it with every search.
MAX_METADATA: Final = 16 * 1024


def merged(metadata: dict[str, Any], change: dict[str, Any] | None) -> dict[str, Any]:
    """The metadata with the change's keys over it; a null removes its key. `InvalidFields` when it becomes too long."""
    if change is None:
        return metadata
    both = {key: value for key, value in {**metadata, **change}.items() if value is not None or key not in change}
    if len(json.dumps(both)) > MAX_METADATA:
        raise InvalidFields((FieldError("/metadata", f"is longer than {MAX_METADATA:,} bytes of JSON"),))
    return both
