"""No test reaches a real provider: only loopback may be dialled, and no provider's key is in the environment.

`tests/conftest.py` imports `no_real_network`, which applies to every test.
"""

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

_KEY_ENDINGS = ("_API_KEY", "_ACCESS_KEY", "_AUTH_TOKEN")
_PROVIDERS = (
    "OPENAI",
    "ANTHROPIC",
    "GROQ",
    "XAI",
    "GEMINI",
    "GOOGLE",
    "MISTRAL",
    "AZURE_OPENAI",
    "COHERE",
    "OLLAMA",
    "LINEAR",
    "MEM0",
)


class RealNetworkError(ConnectionError):
    """A test tried to leave this machine."""


def is_local(address: object) -> bool:
    """Loopback, a Unix socket, or a name that means this machine."""
    if not isinstance(address, tuple):
        return True
    host = address[0]
    if host in {"", "localhost", None}:
        return True
    try:
        return ipaddress.ip_address(host.split("%", maxsplit=1)[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_real_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Refuse every connection off this machine, and fail the test even where its code swallows the refusal."""
    attempts: list[object] = []

    def refuse(address: object) -> None:
        attempts.append(address)
        raise RealNetworkError(f"A test tried to connect to {address!r}. Tests talk to tests/fakes, never to a real service.")

    def guarded(name: str) -> None:
        original = getattr(socket.socket, name)

        def connect(self: socket.socket, address: Any) -> Any:
            if not is_local(address):
                refuse(address)
            return original(self, address)

        monkeypatch.setattr(socket.socket, name, connect)

    guarded("connect")
    guarded("connect_ex")
    _guard_names(monkeypatch, refuse)
    for name in list(os.environ):
        if name.startswith(_PROVIDERS) and (name.endswith(_KEY_ENDINGS) or name.endswith("_BASE_URL")):
            monkeypatch.delenv(name)
    yield
    if attempts:
        pytest.fail(f"The test tried to reach {attempts!r}; only loopback is open to tests.", pytrace=False)


def _guard_names(monkeypatch: pytest.MonkeyPatch, refuse: Any) -> None:
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **keywords: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not is_local((name,)) and not _is_address(name):
            refuse((name, *arguments[:1]))
        return original(host, *arguments, **keywords)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.split("%", maxsplit=1)[0])
    except ValueError:
        return False
    return True
