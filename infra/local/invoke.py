"""Send one event file to the function its folder names: events/<function>/<case>.json."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.areas import FUNCTIONS
from infra.local.emulator import Emulator
from infra.local.state import PREFIX, LocalCloudError


@dataclass(frozen=True)
class Reply:
    """What came back. `error` is the type of the exception that escaped the function, or empty."""

    payload: Any
    error: str


def load_event(path: Path) -> tuple[str, Any]:
    """The function's name and the event. Raises LocalCloudError for a file that is neither there nor under a function's name."""
    name = path.parent.name
    if name not in {function.name for function in FUNCTIONS}:
        raise LocalCloudError(f"{path}: no function is called {name!r}. Events lie in events/<function>/<case>.json.")
    try:
        return name, json.loads(path.read_text())
    except FileNotFoundError:
        there = ", ".join(sorted(each.name for each in path.parent.glob("*.json"))) or "none"
        raise LocalCloudError(f"{path} does not exist. Events of {name}: {there}.") from None
    except json.JSONDecodeError as error:
        raise LocalCloudError(f"{path} is not JSON: {error}") from error


def invoke(emulator: Emulator, function: str, event: Any) -> Reply:  # noqa: ANN401  any JSON
    """Invoke a deployed function and wait for its reply."""
    answer = emulator.client("lambda").invoke(FunctionName=f"{PREFIX}-{function}", Payload=json.dumps(event).encode())
    body = answer["Payload"].read()
    payload = json.loads(body) if body else None
    error = answer.get("FunctionError", "")
    return Reply(payload, payload.get("errorType", error) if error and isinstance(payload, dict) else error)
