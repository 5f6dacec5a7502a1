"""What a `ChatModel` does that can more than answer text: a suite for each ability, so that a class is its model's list of them.

Its provider is faked by a server that thinks as `tests.fakes.mind` does.
"""

import json
from dataclasses import replace

import jsonschema

from atrium.providers.base import File, Image, JsonSchema, Message, NamedTool, Partial, Text, Tool
from tests.conformance.suites.chat_model import Subject
from tests.fakes.wire import Script

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
WEATHER = Tool("get_weather", "What the sky does", CITY, strict=True)
TIME = Tool("get_time", parameters=CITY)
PING = Tool("ping")
TOOLS = (WEATHER, TIME, PING)
BOTH = "Tell me the weather and the time in Oslo"
PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}


class ToolSuite:
    """It asks for tools, several at once, and takes what they gave."""

    async def test_it_asks_for_a_tool(self, subject: Subject) -> None:
        heard = await subject.asked("How is the weather in Oslo", tools=TOOLS)
        assert [(each.name, json.loads(each.arguments)) for each in heard.calls] == [("get_weather", {"city": "Oslo"})]
        assert (heard.text, heard.end.finish_reason) == ("", "tool_calls")
        assert heard.end.usage.output_tokens > 0

    async def test_it_asks_for_several_tools_at_once(self, subject: Subject) -> None:
        heard = await subject.asked(BOTH, tools=TOOLS)
        assert [each.name for each in heard.calls] == ["get_weather", "get_time"]
        assert [json.loads(each.arguments) for each in heard.calls] == [{"city": "Oslo"}] * 2
        assert len({each.id for each in heard.calls}) == 2

    async def test_one_at_a_time_where_that_is_wanted(self, subject: Subject) -> None:
        heard = await subject.asked(BOTH, tools=TOOLS, parallel_tool_calls=False)
        assert [each.name for each in heard.calls] == ["get_weather"]

    async def test_it_can_be_made_to_ask_and_not_to(self, subject: Subject) -> None:
        greeting = "Good morning"
        required = await subject.asked(greeting, tools=TOOLS, tool_choice="required")
        named = await subject.asked(greeting, tools=TOOLS, tool_choice=NamedTool("get_time"))
        free, never = await subject.asked(greeting, tools=TOOLS), await subject.asked(BOTH, tools=TOOLS, tool_choice="none")
        assert [len(required.calls), [each.name for each in named.calls]] == [1, ["get_time"]]
        assert (free.calls, never.calls, never.end.finish_reason) == ((), (), "stop")

    async def test_what_tools_gave_is_read(self, subject: Subject) -> None:
        asked = await subject.asked(BOTH, tools=TOOLS)
        results = (Message("tool", f"{each.name} is fine", tool_call_id=each.id) for each in asked.calls)
        messages = (Message("user", BOTH), Message("assistant", "", asked.calls), *results)
        heard = await subject.asked(BOTH, tools=TOOLS, messages=messages)
        assert heard.text == "The tools say: get_weather is fine; get_time is fine"
        assert (heard.calls, heard.end.finish_reason) == ((), "stop")

    async def test_a_tool_without_arguments_can_be_asked_for(self, subject: Subject) -> None:
        heard = await subject.asked("Please ping", tools=TOOLS)
        assert [(each.name, json.loads(each.arguments or "{}")) for each in heard.calls] == [("ping", {})]

    async def test_words_before_calls_and_arguments_are_as_the_model_wrote_them(self, subject: Subject) -> None:
        subject.server.script(Script(answer="Let me see.", calls=[("get_weather", '{"city": "Os'), ("get_time", {"city": "Ö"})]))
        heard = await subject.asked(BOTH, tools=TOOLS)
        assert heard.text == "Let me see."
        assert heard.calls[0].arguments == '{"city": "Os'
        assert json.loads(heard.calls[1].arguments) == {"city": "Ö"}


class JsonSchemaSuite:
    """It answers JSON of a schema."""

    async def test_the_answer_is_json_of_the_schema(self, subject: Subject) -> None:
        heard = await subject.asked("Describe the engineer Ada", response_format=JsonSchema("person", PERSON))
        answer = json.loads(heard.text)
        jsonschema.validate(answer, PERSON)
        assert answer["name"] == "Ada"
        assert heard.end.finish_reason == "stop"

    async def test_any_json_object_can_be_wanted(self, subject: Subject) -> None:
        heard = await subject.asked("Answer in JSON", response_format=JsonSchema())
        assert isinstance(json.loads(heard.text), dict)


class VisionSuite:
    """It sees pictures."""

    async def test_pictures_are_seen_by_address_and_by_their_bytes(self, subject: Subject) -> None:
        pictures = (Image("https://example.org/a.png", detail="low"), Image(data=b"\x89PNG", media_type="image/png"))
        heard = await subject.asked("", messages=(Message("user", (Text("What is this?"), *pictures)),))
        assert heard.text == "I was shown 2 pictures and 0 files."


class PdfSuite:
    """It reads PDFs itself."""

    async def test_a_pdf_is_read(self, subject: Subject) -> None:
        parts = (File(b"%PDF-1.7", name="a.pdf"), Text("What does it say?"))
        heard = await subject.asked("", messages=(Message("user", parts),))
        assert heard.text == "I was shown 0 pictures and 1 files."


class StopSuite:
    """It stops before a text that it is given, or says that its wire cannot say so."""

    async def test_it_stops_or_says_that_it_will_not(self, subject: Subject) -> None:
        heard = await subject.asked("Who won?", stop=("answer to",))
        given = replace(subject.request, stop=("answer to",))
        untold = isinstance(subject.model, Partial) and "stop" in subject.model.ignores(given)
        assert ("answer to" in heard.text) is untold
        assert heard.end.finish_reason == "stop"
