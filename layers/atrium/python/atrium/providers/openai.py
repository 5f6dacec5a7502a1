"""OpenAI through its own SDK: chat completions (streamed) and embeddings."""

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from atrium.kernel.errors import InvalidInput, NotFound, ProviderError, ProviderUnavailable
from atrium.providers.base import ChatEvent, ChatRequest, Completed, TextDelta, Usage, Vectors
from atrium.providers.catalogue import chat_spec
from atrium.providers.credentials import Credentials, CredentialsSource
from atrium.providers.piece_counter import PieceCounter

if TYPE_CHECKING:
    from openai import APIStatusError, AsyncOpenAI, AsyncStream
    from openai.types import CreateEmbeddingResponse
    from openai.types.chat import ChatCompletionChunk

PUBLIC_URL: Final = "https://api.openai.com/v1"
CONNECT_TIMEOUT: Final = 5.0
EMBED_TIMEOUT: Final = 60.0
# The SDK retries lost connections, 408, 409, 429 and 5xx before the first byte, waiting as Retry-After says. A reader
# waits for a chat, so once; batches of embeddings are patient. Our own timeout bounds all attempts together.
CHAT_RETRIES: Final = 1
EMBED_RETRIES: Final = 3
# The API takes 2,048 texts and 300,000 tokens a request; this many chunks of 512 tokens stay far below.
TEXTS_PER_CALL: Final = 256
FLOAT_BYTES: Final = 4
SERVER_ERROR: Final = 500

FinishReason = Literal["stop", "length", "content_filter", "tool_calls"]
_FINISH: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}


class _Connection:
    """The SDK's client, made on first use and again when the credentials change."""

    def __init__(self, credentials: CredentialsSource) -> None:
        self._source = credentials
        # A client whose key was replaced may still be streaming: it stays until `close`.
        self._clients: dict[Credentials, AsyncOpenAI] = {}

    async def use[T](self, call: Callable[["AsyncOpenAI"], Awaitable[T]]) -> T:
        """Make the call with the credentials of this moment, once more with fresh ones where these are refused (401).

        `InvalidInput` when there are none.
        """
        from openai import AuthenticationError

        credentials = await self._credentials()
        try:
            return await call(self._client(credentials))
        except AuthenticationError:
            fresh = await self._credentials(refresh=True)
            if fresh == credentials:
                raise
            return await call(self._client(fresh))

    async def _credentials(self, *, refresh: bool = False) -> Credentials:
        try:
            return await self._source("openai", refresh=refresh)
        except NotFound as exc:
            raise InvalidInput("The provider openai has no API key in this deployment") from exc

    def _client(self, credentials: Credentials) -> "AsyncOpenAI":
        if credentials not in self._clients:
            self._clients[credentials] = _client(credentials)
        return self._clients[credentials]

    async def close(self) -> None:
        """Close idle connections."""
        while self._clients:
            await self._clients.popitem()[1].close()


class OpenAIChat:
    """Chat completions behind `ChatModel`."""

    def __init__(self, credentials: CredentialsSource) -> None:
        self._connection = _Connection(credentials)

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent]:
        """Yield the answer as it comes. `request.timeout` bounds the whole call, retries included."""
        deadline = asyncio.get_running_loop().time() + request.timeout
        with _translated():
            async with asyncio.timeout_at(deadline):
                stream = await self._connection.use(partial(_open, request))
            # Closing this generator lands here, and the provider's answer stops with its connection.
            async with stream, aclosing(_events(stream, deadline)) as events:
                async for event in events:
                    yield event

    async def close(self) -> None:
        """Close idle connections."""
        await self._connection.close()


class OpenAIEmbedder:
    """Embeddings behind `Embedder`. Vectors stay the bytes that the API sends."""

    def __init__(self, credentials: CredentialsSource, model: str, dimensions: int, max_tokens: int) -> None:
        self._connection = _Connection(credentials)
        self._model = model
        # As declared for the space: the API is asked for exactly so many.
        self.dimensions: Final = dimensions
        self.max_tokens: Final = max_tokens
        # A cautious count: the exact vocabulary weighs 76 MB.
        self.tokenizer: Final = PieceCounter()

    async def embed(self, texts: Sequence[str], kind: Literal["document", "query"]) -> Vectors:  # noqa: ARG002 - one model for both
        """One L2-normalised vector per text, in order, at most 60 s a call of 256 texts."""
        parts = [await self._call(part) for part in batched(texts, TEXTS_PER_CALL, strict=False)]
        return Vectors(len(texts), self.dimensions, b"".join(parts))

    async def close(self) -> None:
        """Close idle connections."""
        await self._connection.close()

    async def _call(self, texts: tuple[str, ...]) -> bytes:
        async def ask(client: "AsyncOpenAI") -> "CreateEmbeddingResponse":
            # Asked for by name, base64 reaches us as it came; by default the SDK makes lists of floats of it.
            return await client.with_options(max_retries=EMBED_RETRIES).embeddings.create(
                model=self._model, input=list(texts), dimensions=self.dimensions, encoding_format="base64"
            )

        with _translated():
            async with asyncio.timeout(EMBED_TIMEOUT):
                response = await self._connection.use(ask)
        rows = sorted(response.data, key=lambda row: row.index)
        if [row.index for row in rows] != list(range(len(texts))):
            raise ProviderError(f"OpenAI answered {len(rows)} vectors for {len(texts)} texts")
        return b"".join(self._vector(cast("object", row.embedding)) for row in rows)

    def _vector(self, encoded: object) -> bytes:
        try:
            vector = base64.b64decode(encoded if isinstance(encoded, str) else "", validate=True)
        except binascii.Error as exc:
            raise ProviderError("OpenAI answered a vector that is not base64") from exc
        if len(vector) != self.dimensions * FLOAT_BYTES:
            raise ProviderError(f"OpenAI answered a vector that is not {self.dimensions} long")
        return vector


def _client(credentials: Credentials) -> "AsyncOpenAI":
    from openai import AsyncOpenAI, Timeout

    return AsyncOpenAI(
        api_key=credentials.api_key,
        base_url=credentials.base_url or PUBLIC_URL,
        max_retries=CHAT_RETRIES,
        timeout=Timeout(EMBED_TIMEOUT, connect=CONNECT_TIMEOUT),
    )


async def _open(request: ChatRequest, client: "AsyncOpenAI") -> "AsyncStream[ChatCompletionChunk]":
    from openai import Timeout, omit

    return await client.chat.completions.create(
        model=request.model,
        messages=cast("Any", [{"role": each.role, "content": each.content} for each in request.messages]),
        max_completion_tokens=request.max_tokens,
        temperature=omit if chat_spec(f"openai/{request.model}").reasoning else request.temperature,
        stream=True,
        stream_options={"include_usage": True},
        timeout=Timeout(request.timeout, connect=CONNECT_TIMEOUT),
    )


async def _events(stream: "AsyncStream[ChatCompletionChunk]", deadline: float) -> AsyncGenerator[ChatEvent]:
    finish: FinishReason | None = None
    usage, model = Usage(), ""
    while (chunk := await _next(stream, deadline)) is not None:
        model = chunk.model or model
        usage = _usage(chunk) or usage
        for choice in chunk.choices[:1]:
            if choice.delta.content:
                yield TextDelta(choice.delta.content)
            if choice.finish_reason:
                finish = _FINISH.get(choice.finish_reason, "stop")
    if finish is None:
        raise ProviderUnavailable("OpenAI's answer broke off")
    yield Completed(finish, usage, model)


async def _next(stream: "AsyncStream[ChatCompletionChunk]", deadline: float) -> "ChatCompletionChunk | None":
    # The HTTP client only times each read: a trickle of frames would never end.
    async with asyncio.timeout_at(deadline):
        return await anext(stream, None)


def _usage(chunk: "ChatCompletionChunk") -> Usage | None:
    if chunk.usage is None:
        return None
    details = chunk.usage.prompt_tokens_details
    return Usage(chunk.usage.prompt_tokens, chunk.usage.completion_tokens, (details and details.cached_tokens) or 0)


@contextmanager
def _translated() -> Iterator[None]:
    """The SDK's errors become ours here and nowhere else."""
    import openai

    try:
        yield
    except openai.APIStatusError as exc:
        raise _status_error(exc) from exc
    except (openai.APIConnectionError, TimeoutError) as exc:
        raise ProviderUnavailable("OpenAI cannot be reached, or did not answer in time") from exc
    except openai.APIError as exc:
        # An error frame inside a stream that began well: they are the provider's own troubles.
        raise ProviderUnavailable("OpenAI broke its answer off with an error") from exc
    except (openai.OpenAIError, ValueError, TypeError, AttributeError) as exc:
        # The SDK does not check what it is sent: a broken frame shows as a JSON error or a missing attribute.
        raise ProviderError("OpenAI's answer cannot be read") from exc


def _status_error(error: "APIStatusError") -> ProviderError:
    """401 and 403 quote parts of the key, so their text stays behind."""
    if error.status_code in {401, 403}:
        return ProviderError("OpenAI refused this deployment's API key")
    if error.code == "insufficient_quota":
        return ProviderError("The OpenAI account behind this deployment has no quota left")
    if error.status_code in {408, 409, 429} or error.status_code >= SERVER_ERROR:
        return ProviderUnavailable(f"OpenAI is overloaded, failing or limits us (status {error.status_code})")
    return ProviderError(f"OpenAI refused the request (status {error.status_code}): {_message(error)}")


def _message(error: "APIStatusError") -> str:
    body = error.body if isinstance(error.body, dict) else {}
    return str(body.get("message", "no reason given"))[:300]
