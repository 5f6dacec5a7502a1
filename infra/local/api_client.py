"""The few calls the demo makes to the API it shows, over HTTP as any client would."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from infra.local.state import LocalCloudError

_TIMEOUT = httpx.Timeout(60, connect=5)


@dataclass(frozen=True)
class ServerEvent:
    """One server-sent event; `name` is "message" when the server gave none."""

    name: str
    data: str


class ApiClient:
    """A client of one local cloud. Every method raises LocalCloudError with the problem's detail when the API refuses."""

    def __init__(self, url: str, token: str = "", *, operator_key: str = "") -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"X-API-Key": operator_key} if operator_key else {}
        self._http = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=_TIMEOUT, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST JSON, give the reply's JSON."""
        return _json(self._http.post(path, json=body))

    def get(self, path: str, **query: str | int) -> dict[str, Any]:
        """GET, give the reply's JSON."""
        return _json(self._http.get(path, params=query))

    def upload(self, file: Path, collection: str) -> dict[str, Any]:
        """POST /documents with a file."""
        with file.open("rb") as content:
            return _json(self._http.post("/documents", files={"file": (file.name, content)}, data={"collection": collection}))

    def documents(self) -> list[dict[str, Any]]:
        """Every document of the tenant."""
        found: list[dict[str, Any]] = []
        page = self.get("/documents", limit=100)
        found += page["data"]
        while page.get("next_cursor"):
            page = self.get("/documents", limit=100, cursor=page["next_cursor"])
            found += page["data"]
        return found

    def stream(self, path: str, body: dict[str, Any]) -> Iterator[ServerEvent]:
        """POST JSON, give the reply's server-sent events as they arrive."""
        with self._http.stream("POST", path, json=body, headers={"Accept": "text/event-stream"}) as answer:
            if answer.is_error:
                answer.read()
                raise _refusal(answer)
            yield from parse_events(answer.iter_lines())


def parse_events(lines: Iterator[str]) -> Iterator[ServerEvent]:
    """Server-sent events of a stream's lines; comments (pings) are skipped."""
    name, data = "message", list[str]()
    for line in lines:
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
        elif not line and data:
            yield ServerEvent(name, "\n".join(data))
            name, data = "message", []


def _json(answer: httpx.Response) -> dict[str, Any]:
    if answer.is_error:
        raise _refusal(answer)
    content = answer.json()
    return content if isinstance(content, dict) else {"data": content}


def _refusal(answer: httpx.Response) -> LocalCloudError:
    try:
        detail = answer.json().get("detail", answer.text)
    except json.JSONDecodeError:
        detail = answer.text
    return LocalCloudError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {detail}")
