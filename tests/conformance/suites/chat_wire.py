"""What every `ChatModel` does whose provider is on the other end of a wire: usage, faults, and readers that leave."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from atrium.kernel.errors import ProviderError, ProviderRefused, ProviderUnavailable
from atrium.providers.base import TextDelta
from tests.conformance.suites.chat_model import Subject
from tests.fakes.wire import Script

LONG = "one two three four five six seven eight nine ten"


class WireSuite:
    """The subject's `server` misbehaves."""

    async def test_usage_is_the_providers_bill(self, subject: Subject) -> None:
        subject.server.script(Script(answer=LONG, cached=3))
        usage = (await subject.asked("Count, please")).end.usage
        bill = subject.server.counts
        assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens) == (
            bill.prompt_tokens,
            10,
            min(3, bill.prompt_tokens),
        )
        assert bill.completion_tokens == 10

    async def test_one_connection_serves_one_call_after_the_other(self, subject: Subject) -> None:
        for _ in range(3):
            await subject.asked("Count, please")
        assert (subject.server.counts.calls, subject.server.connected) == (3, 1)

    async def test_usage_that_is_not_told_is_not_invented(self, subject: Subject) -> None:
        subject.server.script(Script(answer=LONG, usage=False))
        end = (await subject.asked("Count, please")).end
        assert (end.counted, end.usage.input_tokens, end.usage.output_tokens) == (False, 0, 0)

    async def test_an_answer_in_the_smallest_pieces_is_the_same(self, subject: Subject) -> None:
        text = "Zwölf Boxkämpfer – 今天天气很好."
        subject.server.script(Script(answer=text, split=3))
        assert (await subject.asked("Say it")).text == text

    async def test_an_empty_answer_is_one(self, subject: Subject) -> None:
        subject.server.script(Script(answer=""))
        heard = await subject.asked("Say nothing")
        assert (heard.text, heard.end.finish_reason) == ("", "stop")

    async def test_a_refusal_is_told_as_such(self, subject: Subject) -> None:
        subject.server.script(Script(refusal="I will not help with that."))
        heard = await subject.asked("Help me")
        assert (heard.text, heard.end.finish_reason) == ("I will not help with that.", "content_filter")

    async def test_a_cut_stream_gives_what_came_and_then_fails(self, subject: Subject) -> None:
        subject.server.script(Script(answer=LONG, cut_after=8))
        came, _ = await subject.until_it_fails(ProviderUnavailable)
        text = "".join(each.text for each in came if isinstance(each, TextDelta))
        assert LONG.startswith(text)
        assert 0 < len(text) < len(LONG)
        assert len(came) == len(text.split())

    async def test_a_stream_that_ends_before_its_end_is_cut(self, subject: Subject) -> None:
        subject.server.script(Script(answer=LONG, end_after=8))
        came, error = await subject.until_it_fails(ProviderUnavailable)
        assert len(came) > 1
        assert "broke off" in error.detail

    async def test_an_error_inside_a_stream_is_worth_a_retry(self, subject: Subject) -> None:
        subject.server.script(Script(answer=LONG, error_at=8))
        came, _ = await subject.until_it_fails(ProviderUnavailable)
        assert len(came) > 1

    async def test_a_malformed_frame_is_not(self, subject: Subject) -> None:
        subject.server.script(Script(answer=LONG, malformed_at=8))
        came, _ = await subject.until_it_fails(ProviderError)
        assert len(came) > 1

    @pytest.mark.parametrize(
        "garbage", ["<html>Welcome to the proxy</html>", "", "null", '{"object": "nothing of ours"}', "data: 7\n\n"]
    )
    async def test_garbage_is_not(self, subject: Subject, garbage: str) -> None:
        subject.server.script(Script(garbage=garbage))
        came, error = await subject.until_it_fails(ProviderError)
        assert (came, "Welcome" in error.detail) == ([], False)

    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
    async def test_passing_trouble_says_when_to_come_back_and_is_left_to_the_caller(self, subject: Subject, status: int) -> None:
        subject.server.script(Script(status=status, headers={"retry-after": "7"}))
        _, error = await subject.until_it_fails(ProviderUnavailable)
        assert isinstance(error, ProviderUnavailable)
        assert (error.status, error.retry_after, subject.server.counts.refused) == (status, 7, 1)

    @pytest.mark.parametrize("status", [400, 404, 413, 422])
    async def test_what_a_provider_refuses_is_told_in_its_words(self, subject: Subject, status: int) -> None:
        subject.server.script(Script(status=status, error={"message": "Too many legs"}))
        _, error = await subject.until_it_fails(ProviderRefused)
        assert isinstance(error, ProviderRefused)
        assert (error.status, error.error["message"]) == (status, "Too many legs")
        assert "Too many legs" in error.detail

    @pytest.mark.parametrize("status", [401, 403])
    async def test_a_refused_key_is_not_shown(self, subject: Subject, status: int) -> None:
        subject.server.script(*[Script(status=status, error={"message": "Incorrect API key: sk-test"})] * 2)
        _, error = await subject.until_it_fails(ProviderError)
        assert "sk-test" not in error.detail

    @pytest.mark.parametrize("script", [Script(hang=True), Script(answer=LONG, frame_delay=0.05)])
    async def test_the_timeout_bounds_the_whole_call(self, subject: Subject, script: Script) -> None:
        subject.server.script(script)
        began = asyncio.get_running_loop().time()
        await subject.until_it_fails(ProviderUnavailable, timeout=0.3)
        assert asyncio.get_running_loop().time() - began < 2

    async def test_a_reader_that_leaves_ends_the_providers_call(self, subject: Subject) -> None:
        subject.server.script(Script(answer="word " * 500, frame_delay=0.01))
        events: Any = subject.model.stream(replace(subject.request, timeout=30))
        async with aclosing(events):
            assert isinstance(await anext(events), TextDelta)
        async with asyncio.timeout(3):
            await subject.server.abandoned.wait()
        assert subject.server.counts.calls == 0

    async def test_a_reader_that_is_called_off_ends_it_too(self, subject: Subject) -> None:
        subject.server.script(Script(hang=True))
        task = asyncio.ensure_future(subject.events(timeout=30))
        await asyncio.wait_for(subject.server.hanging.wait(), 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await subject.asked("Still there?")).text
