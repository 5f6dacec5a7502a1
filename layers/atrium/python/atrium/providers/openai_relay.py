"""OpenAI's wire without an SDK: bytes out, bytes in, for what is relayed as it comes.

One HTTP session per event loop, with connections that are kept. What a caller of ours sent beside the body stays here: the
provider gets its own key and nothing of theirs.
"""

import asyncio
import json
import re
import weakref
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from atrium.kernel.errors import ProviderError, ProviderNotConfigured, ProviderRefused, ProviderUnavailable
from atrium.providers.catalogue import Provider
from atrium.providers.connection import key_refused, retry_after
from atrium.providers.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from aiohttp import ClientResponse, ClientSession

CONNECT_TIMEOUT: Final = 5.0
# A model that thinks before it speaks is silent for minutes; a connection that nobody answers any more is for ever.
READ_TIMEOUT: Final = 300.0
KEEP_ALIVE: Final = 60.0
# Embeddings of 2,048 inputs at 3,072 dimensions as floats; and a frame that is one whole answer.
LARGEST_REPLY: Final = 192 * 1024 * 1024
LARGEST_FRAME: Final = 8 * 1024 * 1024
_ERROR_BYTES: Final = 64 * 1024
_LONGEST_REASON: Final = 500
_READ_BUFFER: Final = 256 * 1024
_OK: Final = 200
_CLIENT_ERROR: Final = 400
_PAYMENT: Final = 402
_SERVER_ERROR: Final = 500
_RETRYABLE: Final = frozenset({408, 409, 429})
# An event ends at a blank line; each of its lines may end in CR, LF or both.
_BLANK_LINE: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
# Of a CRLF CRLF that is cut anywhere, so much must be looked at again.
_OVERLAP: Final = 3


class KeyRefused(ProviderError):
    """The provider does not take the key: a rotation would explain it."""


@dataclass(slots=True)
class Frames:
    """Bytes of an event stream, cut into events. A frame is what stood between blank lines, without them."""

    _rest: bytes = b""
    _seen: int = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The frames that `data` completes."""
        self._rest = self._rest + data if self._rest else data
        frames, start = [], 0
        for end in _BLANK_LINE.finditer(self._rest, max(0, self._seen - _OVERLAP)):
            if end.start() > start:
                frames.append(self._rest[start : end.start()])
            start = end.end()
        self._rest = self._rest[start:]
        self._seen = len(self._rest)
        return frames

    @property
    def rest(self) -> bytes:
        """What no blank line has ended yet."""
        return self._rest


def frame_data(frame: bytes) -> bytes | None:
    """The data of an event; None of a comment, or an event without data."""
    if frame.startswith(b"data: ") and b"\n" not in frame and b"\r" not in frame:
        return frame[6:]
    lines = [line[5:].removeprefix(b" ") for line in frame.splitlines() if line.startswith(b"data:")]
    return b"\n".join(lines) if lines else None


class EventReader:
    """An open event stream of a provider. `read` may be cancelled and called again."""

    def __init__(self, response: "ClientResponse", label: str) -> None:
        self._response = response
        self._label = label
        self._frames = Frames()

    async def read(self) -> list[bytes]:
        """The next frames, at least one; empty at the stream's end. `ProviderUnavailable`: it broke off."""
        with _translated(self._label):
            while data := await self._response.content.readany():
                if frames := self._frames.feed(data):
                    return frames
                if len(self._frames.rest) > LARGEST_FRAME:
                    raise ProviderError(f"{self._label} sent a frame over {LARGEST_FRAME} bytes.", charged=True)
        return []

    def close(self) -> None:
        """End the provider's call: its connection goes with it, unless all was read."""
        self._response.close()


@dataclass(slots=True)
class OpenAIRelay:
    """One per process."""

    _sessions: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, ClientSession]" = field(
        default_factory=weakref.WeakKeyDictionary
    )

    async def whole(self, provider: Provider, credentials: Credentials, path: str, body: bytes) -> bytes:
        """The body of the provider's 200. Errors: KeyRefused, ProviderRefused, ProviderUnavailable, ProviderError."""
        async with self._asked(provider, credentials, path, body) as response:
            reply = bytearray()
            async for chunk in response.content.iter_any():
                reply += chunk
                if len(reply) > LARGEST_REPLY:
                    raise ProviderError(f"The answer of {provider.label} has over {LARGEST_REPLY} bytes.", charged=True)
            return bytes(reply)

    async def stream(self, provider: Provider, credentials: Credentials, path: str, body: bytes) -> EventReader:
        """An open event stream, to be closed. Errors as of `whole`; what is no event stream is a ProviderError."""
        with _translated(provider.label):
            response = await self._post(provider, credentials, path, body)
            try:
                await _check(provider, response)
                if response.content_type != "text/event-stream":
                    told = response.content_type[:80]
                    raise ProviderError(f"{provider.label} answered {told} in place of a stream.", charged=True)
            except BaseException:
                response.close()
                raise
        return EventReader(response, provider.label)

    async def close(self) -> None:
        """Close idle connections of this event loop."""
        session = self._sessions.pop(asyncio.get_running_loop(), None)
        if session is not None:
            await session.close()

    @asynccontextmanager
    async def _asked(
        self, provider: Provider, credentials: Credentials, path: str, body: bytes
    ) -> "AsyncIterator[ClientResponse]":
        with _translated(provider.label):
            response = await self._post(provider, credentials, path, body)
            async with response:
                await _check(provider, response)
                yield response

    async def _post(self, provider: Provider, credentials: Credentials, path: str, body: bytes) -> "ClientResponse":
        base = credentials.base_url or provider.base_url
        if not base:
            raise ProviderNotConfigured(f"The provider {provider.name} has no address in this deployment.")
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if credentials.api_key:
            headers["Authorization"] = f"Bearer {credentials.api_key}"
        return await self._session().post(f"{base.rstrip('/')}/{path}", data=body, headers=headers, allow_redirects=False)

    def _session(self) -> "ClientSession":
        loop = asyncio.get_running_loop()
        session = self._sessions.get(loop)
        if session is None or session.closed:
            session = self._sessions[loop] = _new_session()
        return session


def _new_session() -> "ClientSession":
    from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector

    return ClientSession(
        # As many connections as there are calls: what limits them is the tenants' rates and budgets.
        connector=TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE, ttl_dns_cache=60),
        timeout=ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT, sock_read=READ_TIMEOUT),
        cookie_jar=DummyCookieJar(),
        headers={"User-Agent": "atrium"},
        auto_decompress=False,
        trust_env=False,
        read_bufsize=_READ_BUFFER,
    )


@contextmanager
def _translated(label: str) -> "Iterator[None]":
    """The client's errors become ours here and nowhere else."""
    import aiohttp

    try:
        yield
    except (aiohttp.InvalidURL, aiohttp.ContentTypeError) as exc:
        raise ProviderError(f"The address of {label} cannot be used.") from exc
    except aiohttp.ClientPayloadError as exc:
        raise ProviderUnavailable(f"The answer of {label} broke off.", charged=True) from exc
    except (aiohttp.ClientResponseError, ValueError) as exc:
        raise ProviderError(f"The answer of {label} cannot be read.", charged=True) from exc
    except (aiohttp.ClientError, TimeoutError, OSError) as exc:
        unsent = isinstance(exc, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
        raise ProviderUnavailable(f"{label} cannot be reached, or did not answer in time.", charged=not unsent) from exc


async def _check(provider: Provider, response: "ClientResponse") -> None:
    if response.status != _OK:
        _refuse(provider.label, response.status, response.headers, await _error(response))


async def _error(response: "ClientResponse") -> Mapping[str, Any]:
    """The `error` object of a failure's body; empty where there is none."""
    body = await _beginning(response)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else {"message": error} if isinstance(error, str) else {}


async def _beginning(response: "ClientResponse") -> bytes:
    """Up to 64 KB of a failure's body, which may come in segments. Its status tells enough where the rest does not come."""
    from aiohttp import ClientError

    body = bytearray()
    with suppress(TimeoutError, ClientError):
        async with asyncio.timeout(CONNECT_TIMEOUT):
            async for segment in response.content.iter_any():
                body += segment
                if len(body) >= _ERROR_BYTES:
                    break
    return bytes(body)


def _refuse(label: str, status: int, headers: Mapping[str, str], error: Mapping[str, Any]) -> NoReturn:
    """What is said of a refused key quotes parts of it, so it stays behind."""
    if key_refused(status, error.get("message")):
        raise KeyRefused(f"{label} refused the API key that it was asked with.")
    if status == _PAYMENT or error.get("code") == "insufficient_quota" or error.get("type") == "insufficient_quota":
        # The account is the deployment's, and what is said of it is nobody else's.
        raise ProviderError(f"The account at {label} has no quota left.")
    if status in _RETRYABLE or status >= _SERVER_ERROR:
        detail = f"{label} is overloaded, failing or limits us (status {status})."
        raise ProviderUnavailable(detail, status=status, retry_after=retry_after(headers))
    if status < _CLIENT_ERROR:
        raise ProviderError(f"{label} answered with the status {status}.")
    told = {name: value[:_LONGEST_REASON] if isinstance(value, str) else value for name, value in error.items()}
    raise ProviderRefused(f"{label} refused the request: {told.get('message') or 'no reason given'}", status, told)


async def frames_of(reader: EventReader) -> AsyncGenerator[bytes]:
    """All frames, one by one; the stream is closed with the generator."""
    try:
        while frames := await reader.read():
            for frame in frames:
                yield frame
    finally:
        reader.close()
