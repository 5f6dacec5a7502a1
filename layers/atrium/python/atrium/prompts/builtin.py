"""The prompts that ship with the code: the layer below the platform's and the tenants'."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

from atrium.prompts.models import Content, PromptType

_DATA: Final = Path(__file__).with_name("defaults.json")


@cache
def builtin_prompts() -> Mapping[str, Content]:
    """By key, which is a type's name; each type has one."""
    rows = json.loads(_DATA.read_text(encoding="utf-8"))
    return {kind.value: Content.of(rows[kind]) for kind in PromptType}
