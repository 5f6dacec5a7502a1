"""OpenAI's adapter through its real SDK, against a server that misbehaves as told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from atrium.kernel.errors import NotFound, ProviderError, ProviderNotConfigured, ProviderUnavailable
from atrium.providers.base import ChatEvent, ChatRequest, Completed, Message, TextDelta, Usage
from atrium.providers.catalogue import EmbeddingSpace, EmbeddingSpec, providers
from atrium.providers.credentials import Credentials
from atrium.providers.openai import OpenAIChat
from atrium.providers.openai_embeddings import TEXTS_PER_CALL, OpenAIEmbedder
from tests.fakes.openai_server import OpenAIServer, failing, out_of_quota, rate_limited
from tests.fakes.vectors import rows
from tests.fakes.wire import Reply, Request, Script

OPENAI = providers()["openai"]
SMALL = EmbeddingSpec(EmbeddingSpace(2, "openai/text-embedding-3-small", 16, 8191))


@pytest.fixture
async def server() -> AsyncIterator[OpenAIServer]:
    async with OpenAIServer() as server:
        yield server


@pytest.fixture
async def chat(server: OpenAIServer) -> AsyncIterator[OpenAIChat]:
    chat = OpenAIChat(source(server), OPENAI)
    yield chat
    await chat.close()


@pytest.fixture
async def embedder(server: OpenAIServer) -> AsyncIterator[OpenAIEmbedder]:
    embedder = OpenAIEmbedder(source(server), OPENAI, SMALL)
    yield embedder
    await embedder.close()


def source(server: OpenAIServer, key: str = "sk-test") -> Any:
    async def credentials(provider: str, *, refresh: bool = False) -> Credentials:
        assert provider == "openai"
        return Credentials(key, server.base_url)

    return credentials


def request(**changes: Any) -> ChatRequest:
    messages = (Message("system", "Be brief."), Message("user", "Say it."))
    given: dict[str, Any] = {"model": "gpt-4.1-mini", "messages": messages, "timeout": 30.0}
    return ChatRequest(**(given | changes))


async def collect(chat: OpenAIChat, asked: ChatRequest) -> list[ChatEvent]:
    return [event async for event in chat.stream(asked)]


async def test_the_answer_streams_with_its_usage(server: OpenAIServer, chat: OpenAIChat) -> None:
    server.script(Script(answer="One two three."))
    *deltas, end = await collect(chat, request())
    assert [each.text for each in deltas if isinstance(each, TextDelta)] == ["One", " two", " three."]
    assert end == Completed("stop", Usage(4, 3), "gpt-4.1-mini")


async def test_what_goes_over_the_wire(server: OpenAIServer, chat: OpenAIChat) -> None:
    await collect(chat, request(max_tokens=77, temperature=0.5))
    (sent,) = server.requests
    body = sent.json()
    assert sent.headers["authorization"] == "Bearer sk-test"
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say it."}]
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert (body["max_completion_tokens"], body["temperature"]) == (77, 0.5)


async def test_a_reasoning_model_gets_no_temperature(server: OpenAIServer, chat: OpenAIChat) -> None:
    await collect(chat, request(model="o3"))
    assert "temperature" not in server.requests[0].json()


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
async def test_a_passing_fault_is_told_and_left_to_the_caller_to_retry(
    server: OpenAIServer, chat: OpenAIChat, status: int
) -> None:
    server.script(Script(status=status, headers={"retry-after": "7"}))
    with pytest.raises(ProviderUnavailable) as caught:
        await collect(chat, request())
    assert (caught.value.status, caught.value.retry_after, len(server.requests)) == (status, 7, 1)
    assert caught.value.__cause__ is not None


async def test_a_refused_request_says_why_and_is_not_retried(server: OpenAIServer, chat: OpenAIChat) -> None:
    server.script(Script(status=400, error={"message": "max_completion_tokens is too large"}))
    with pytest.raises(ProviderError, match="too large") as caught:
        await collect(chat, request())
    assert not isinstance(caught.value, ProviderUnavailable)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_not_shown(server: OpenAIServer, chat: OpenAIChat, status: int) -> None:
    server.script(Script(status=status, error={"message": "Incorrect API key provided: sk-test"}))
    with pytest.raises(ProviderError) as caught:
        await collect(chat, request())
    assert "sk-test" not in caught.value.detail
    assert not isinstance(caught.value, ProviderUnavailable)


async def test_a_spent_quota_is_not_worth_a_retry(server: OpenAIServer, chat: OpenAIChat) -> None:
    server.script(out_of_quota(), out_of_quota())
    with pytest.raises(ProviderError, match="quota") as caught:
        await collect(chat, request())
    assert not isinstance(caught.value, ProviderUnavailable)


@pytest.mark.parametrize("script", [Script(hang=True), Script(delay=5), Script(answer="a b c d e f g h", frame_delay=0.1)])
async def test_the_timeout_bounds_the_whole_call(server: OpenAIServer, chat: OpenAIChat, script: Script) -> None:
    server.script(script, script)
    started = asyncio.get_running_loop().time()
    with pytest.raises(ProviderUnavailable):
        await collect(chat, request(timeout=0.35))
    assert asyncio.get_running_loop().time() - started < 3


async def test_a_long_retry_after_does_not_outlast_the_timeout(server: OpenAIServer, chat: OpenAIChat) -> None:
    server.script(rate_limited(retry_after=60))
    with pytest.raises(ProviderUnavailable):
        await collect(chat, request(timeout=0.3))


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (Script(answer="One two three.", cut_after=3), ProviderUnavailable),
        (Script(answer="One two three.", error_at=3), ProviderUnavailable),
        (Script(answer="One two three.", malformed_at=3), ProviderError),
    ],
)
async def test_a_stream_that_breaks_gives_what_came_and_then_fails(
    server: OpenAIServer, chat: OpenAIChat, script: Script, error: type[ProviderError]
) -> None:
    server.script(script)
    came: list[ChatEvent] = []

    async def take() -> None:
        async for event in chat.stream(request()):
            came.append(event)  # noqa: PERF401  a comprehension would lose what came before the error

    with pytest.raises(error) as caught:
        await take()
    assert type(caught.value) is error
    assert came == [TextDelta("One"), TextDelta(" two")]


async def test_a_stream_without_an_end_is_not_taken_for_a_whole_answer() -> None:
    class Endless(OpenAIServer):
        def reply(self, request: Request, script: Script) -> Reply:
            whole = super().reply(request, script)
            return Reply(frames=(whole.frames or ())[:2])

    async with Endless() as server:
        chat = OpenAIChat(source(server), OPENAI)
        with pytest.raises(ProviderUnavailable, match="broke off"):
            await collect(chat, request())
        await chat.close()


async def test_closing_the_iterator_ends_the_providers_call(server: OpenAIServer, chat: OpenAIChat) -> None:
    server.script(Script(answer="word " * 200, frame_delay=0.01))
    async with aclosing(chat.stream(request())) as events:
        async for _ in events:
            break
    await asyncio.wait_for(server.abandoned.wait(), 3)
    assert server.abandoned.is_set()


async def test_without_a_key_the_caller_is_told() -> None:
    async def nothing(provider: str, *, refresh: bool = False) -> Credentials:
        raise NotFound(f"no secret for {provider}")

    with pytest.raises(ProviderNotConfigured, match="no API key"):
        await collect(OpenAIChat(nothing, OPENAI), request())


async def test_a_new_key_is_used_at_once(server: OpenAIServer) -> None:
    keys = iter(["sk-old", "sk-old", "sk-new"])

    async def rotating(provider: str, *, refresh: bool = False) -> Credentials:
        return Credentials(next(keys), server.base_url)

    chat = OpenAIChat(rotating, OPENAI)
    for _ in range(3):
        await collect(chat, request())
    await chat.close()
    assert [each.headers["authorization"][-6:] for each in server.requests] == ["sk-old", "sk-old", "sk-new"]


class Rotated(OpenAIServer):
    """Takes the new key only."""

    def reply(self, request: Request, script: Script) -> Reply:
        if request.headers["authorization"] == "Bearer sk-new":
            return super().reply(request, script)
        return Reply(self.error(Script(status=401)), status=401)


class Vault:
    """A source that has `known` and would find `stored` if it looked again."""

    def __init__(self, server: OpenAIServer, known: str, stored: str) -> None:
        self._server = server
        self._known = known
        self._stored = stored
        self.refreshed = 0

    async def credentials(self, provider: str, *, refresh: bool = False) -> Credentials:
        if refresh:
            self._known = self._stored
            self.refreshed += 1
        return Credentials(self._known, self._server.base_url)


@pytest.fixture
async def rotated() -> AsyncIterator[Rotated]:
    async with Rotated() as server:
        yield server


async def test_a_refused_key_is_read_again_and_the_rotated_one_accepted(rotated: Rotated) -> None:
    rotated.script(Script(), Script(answer="Back."))
    vault = Vault(rotated, "sk-old", "sk-new")
    chat = OpenAIChat(vault.credentials, OPENAI)
    assert (await collect(chat, request()))[0] == TextDelta("Back.")
    await collect(chat, request())
    await chat.close()
    assert [each.headers["authorization"][-6:] for each in rotated.requests] == ["sk-old", "sk-new", "sk-new"]
    assert vault.refreshed == 1


async def test_embeddings_go_on_with_the_rotated_key(rotated: Rotated) -> None:
    vault = Vault(rotated, "sk-old", "sk-new")
    embedder = OpenAIEmbedder(vault.credentials, OPENAI, SMALL)
    assert (await embedder.embed(["text"], "document")).count == 1
    await embedder.close()
    assert vault.refreshed == 1


@pytest.mark.parametrize(("stored", "sent"), [("sk-old", 1), ("sk-bad", 2)])
async def test_a_key_is_read_again_once_and_not_tried_twice(rotated: Rotated, stored: str, sent: int) -> None:
    vault = Vault(rotated, "sk-old", stored)
    chat = OpenAIChat(vault.credentials, OPENAI)
    with pytest.raises(ProviderError, match="refused this deployment's API key"):
        await collect(chat, request())
    await chat.close()
    assert (len(rotated.requests), vault.refreshed) == (sent, 1)


class Textual(Rotated):
    """As xAI says it: the status 400, and a text for an error."""

    def error(self, script: Script) -> Any:
        return {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: sk***ld."}

    def reply(self, request: Request, script: Script) -> Reply:
        refused = super().reply(request, script)
        return Reply(refused.body, status=400) if refused.status == 401 else refused


async def test_a_key_that_is_refused_by_a_text_is_read_again() -> None:
    async with Textual() as server:
        vault = Vault(server, "sk-old", "sk-new")
        embedder = OpenAIEmbedder(vault.credentials, OPENAI, SMALL)
        assert (await embedder.embed(["text"], "document")).count == 1
        await embedder.close()
    assert (len(server.requests), vault.refreshed) == (2, 1)


async def test_what_a_text_says_of_a_key_stays_behind() -> None:
    async with Textual() as server:
        embedder = OpenAIEmbedder(source(server, "sk-old"), OPENAI, SMALL)
        with pytest.raises(ProviderError) as caught:
            await embedder.embed(["text"], "document")
        await embedder.close()
    assert (type(caught.value), caught.value.detail) == (ProviderError, "OpenAI refused this deployment's API key")


async def test_embeddings_are_asked_for_in_base64_and_in_parts(server: OpenAIServer, embedder: OpenAIEmbedder) -> None:
    texts = [f"text number {number}" for number in range(TEXTS_PER_CALL + 3)]
    vectors = await embedder.embed(texts, "document")
    bodies = [each.json() for each in server.requests]
    assert [len(body["input"]) for body in bodies] == [TEXTS_PER_CALL, 3]
    assert {(body["encoding_format"], body["dimensions"], body["model"]) for body in bodies} == {
        ("base64", 16, "text-embedding-3-small")
    }
    assert (vectors.count, len(vectors.data)) == (len(texts), len(texts) * 16 * 4)


async def test_embeddings_come_back_in_order() -> None:
    class Shuffled(OpenAIServer):
        def reply(self, request: Request, script: Script) -> Reply:
            whole = super().reply(request, script)
            return Reply(whole.body | {"data": whole.body["data"][::-1]})

    texts = ["first", "second", "third"]
    async with Shuffled() as shuffled, OpenAIServer() as server:
        vectors = []
        for each in (shuffled, server):
            embedder = OpenAIEmbedder(source(each), OPENAI, SMALL)
            vectors.append(rows(await embedder.embed(texts, "document")))
            await embedder.close()
    assert vectors[0] == vectors[1]


@pytest.mark.parametrize("change", [{"embedding": "AAAA"}, {"embedding": "no base64!"}, {"embedding": None}, {"index": 7}])
async def test_unusable_vectors_are_refused(change: dict[str, Any]) -> None:
    class Wrong(OpenAIServer):
        def reply(self, request: Request, script: Script) -> Reply:
            whole = super().reply(request, script)
            return Reply(whole.body | {"data": [whole.body["data"][0] | change]})

    async with Wrong() as server:
        embedder = OpenAIEmbedder(source(server), OPENAI, SMALL)
        with pytest.raises(ProviderError, match="OpenAI answered"):
            await embedder.embed(["text"], "query")
        await embedder.close()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("nan", r"vector \(number 2\) with values that are no numbers"),
        ("inf", "infinite"),
        ("short", "not 16 long but 15"),
        ("few", "answered 1 vectors for 2 texts"),
        ("index", "vectors of other places"),
    ],
)
async def test_what_is_wrong_with_vectors_is_named(server: OpenAIServer, embedder: OpenAIEmbedder, fault: str, says: str) -> None:
    server.script(Script(vectors=fault))
    with pytest.raises(ProviderError, match=says) as caught:
        await embedder.embed(["one", "two"], "document")
    assert not isinstance(caught.value, ProviderUnavailable)


@pytest.mark.parametrize(("told", "tokens"), [(True, TEXTS_PER_CALL + 2), (False, None)])
async def test_tokens_of_embeddings_are_summed_where_all_were_told(
    server: OpenAIServer, embedder: OpenAIEmbedder, told: bool, tokens: int | None
) -> None:
    server.script(Script(), Script(usage=told))
    assert (await embedder.embed(["one"] * (TEXTS_PER_CALL + 2), "document")).tokens == tokens


@pytest.mark.parametrize("fault", [rate_limited(retry_after=3), failing(500)])
async def test_embeddings_too_leave_retries_to_the_caller(server: OpenAIServer, embedder: OpenAIEmbedder, fault: Script) -> None:
    server.script(fault)
    with pytest.raises(ProviderUnavailable) as caught:
        await embedder.embed(["text"], "document")
    assert (caught.value.status, len(server.requests)) == (fault.status, 1)
