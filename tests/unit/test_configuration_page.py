"""docs/configuration.md names every setting with its default, and no other."""

import re
from pathlib import Path

from atrium.kernel.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "configuration.md"


def _shown(default: object) -> str:
    return "empty" if default in ("", ()) else f"`{default}`"


def test_the_page_and_the_settings_are_equal() -> None:
    section = PAGE.read_text().split("## Settings of the functions")[1].split("## ")[0]
    documented = re.findall(r"^\| `([A-Z0-9_]+)` \| (\S+) \|", section, re.MULTILINE)
    defined = [
        (str(field.validation_alias or name).upper(), _shown(field.default)) for name, field in Settings.model_fields.items()
    ]
    assert documented == defined
