"""Runs a script's cases and tells how they went: `{"case": ""}`, or the traceback. Read by test_openai_clients.py."""

import json
import sys
import traceback
import urllib.request
from collections.abc import Callable
from typing import Any


def script(place: dict[str, str], *scripts: dict[str, Any]) -> None:
    """How the provider behind the gateway answers next."""
    body = json.dumps(list(scripts)).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{place['fake']}/_scripts", data=body, method="POST"), timeout=10):
        pass


def last_asked(place: dict[str, str]) -> Any:
    """The body that the provider behind the gateway was sent last."""
    with urllib.request.urlopen(f"{place['fake']}/_requests", timeout=10) as answer:
        return json.load(answer)[-1]["body"]


def run(cases: dict[str, Callable[[dict[str, str]], None]]) -> None:
    """`place` comes as JSON on stdin: base_url, key, poor (a key without budget), fake (the provider's origin).

    `hasty` is another address of the same, where a key may ask once a second.
    """
    place = json.load(sys.stdin)
    told = {}
    for name, case in cases.items():
        try:
            case(place)
            told[name] = ""
        except Exception:  # noqa: BLE001  a case's failure is its result
            told[name] = traceback.format_exc()
    json.dump(told, sys.stdout)
