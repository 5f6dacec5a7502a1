"""The merged OpenAPI document: in a bundle beside this file, in a checkout at docs/openapi.json."""

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

_PLACES: Final = (Path(__file__).parent / "openapi.json", Path(__file__).parents[2] / "docs" / "openapi.json")


@cache
def merged_text() -> str:
    """The document as it is committed."""
    return next(place for place in _PLACES if place.is_file()).read_text(encoding="utf-8")


def merged() -> dict[str, Any]:
    """The document."""
    document: dict[str, Any] = json.loads(merged_text())
    return document
