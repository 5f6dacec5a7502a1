"""What docs/prompts.md shows, run in its order."""

import json
import re
from pathlib import Path
from typing import Final

from atrium.prompts.templates import parse, render
from functions.auth.app import create_app as create_auth
from functions.prompts.app import create_app as create_prompts
from functions.rag.app import create_app as create_rag
from tests.factories.auth import LocalRuntime, WholeApi, bearer, client, register

PAGE: Final = (Path(__file__).parents[3] / "docs" / "prompts.md").read_text(encoding="utf-8")
REQUESTS: Final = re.findall(r"^```http\n([A-Z]+) (\S+)\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
ROWS: Final = re.findall(r"^\| `(.*)` \| `(.*)` \|$", PAGE, re.MULTILINE)


async def test_every_request_is_understood(runtime: LocalRuntime) -> None:
    areas = {"auth": create_auth(runtime), "prompts": create_prompts(runtime), "rag": create_rag(runtime)}
    made = ""
    async with client(WholeApi(areas, nowhere="prompts")) as http:
        headers = bearer(await register(http))
        for method, path, body in REQUESTS:
            content = json.loads(body) if body.strip() else None
            answer = await http.request(method, path.replace("{id}", made), json=content, headers=headers)
            assert answer.status_code < 300, (method, path, answer.text)
            made = made or answer.json()["id"]
    assert len(REQUESTS) == 9


def test_every_template_shows_what_it_says() -> None:
    assert len(ROWS) == 5
    for template, shown in ROWS:
        assert render([parse(template)], {"name": "Ada"}, limit=100) == [shown]
