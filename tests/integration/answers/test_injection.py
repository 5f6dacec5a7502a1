"""Documents and questions that give orders, to a model that obeys all of them, through every form of every route.

Whatever it is made to say: nothing that loads, links out, hides or is markup is shown; citations name retrieved passages and
quote what those say; what has no proof is listed; streams keep their shape; and the prompt holds nothing worth stealing.
"""

import json
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from atrium.db import Database
from atrium.kernel.invisible import visible
from atrium.kernel.principal import TenantId, worker
from tests.factories.auth import PASSWORD
from tests.factories.retrieval import publish
from tests.fakes.obedient import obey_everything
from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.answers.attacks import ATTACKS
from tests.integration.answers.conftest import GPT, Api
from tests.integration.answers.test_routes import frames
from tests.unit.answers.test_sanitising import BARE, Tags, markup

SECRET = "The other tenant's launch word is Rumpelstilzchen."
FORMS = ("/query", "/query/sync", "/rag/query", "/rag/query as a stream")


@dataclass(frozen=True)
class Reply:
    """What a client is shown, whatever the form. `unsupported` None: that form does not tell."""

    form: str
    answer: str
    citations: list[dict[str, Any]]
    sources: list[dict[str, Any]]
    unsupported: list[str] | None


async def ask(api: Api, form: str, question: str) -> Reply:
    body = {"question": question, "model": GPT, "top_k": 10}
    match form:
        case "/query/sync" | "/rag/query":
            return _of_json(form, (await api.post(form, body)).json())
        case "/rag/query as a stream":
            return _of_named(form, frames((await api.post("/rag/query", body, accept="text/event-stream")).text))
    answer = await api.post("/query", body)
    assert answer.status_code == 200, answer.text
    return _of_plain(form, answer.text)


def _of_json(form: str, reply: dict[str, Any]) -> Reply:
    return Reply(form, reply["answer"], reply["citations"], reply["retrieval"]["sources"], reply["unsupported"])


def _of_named(form: str, read: list[tuple[str | None, str]]) -> Reply:
    names = [name for name, _ in read]
    assert (names[0], names[-1], names.count("sources"), names.count("done")) == ("sources", "done", 1, 1)
    assert set(names) <= {"sources", "token", "citation", "done"}
    done = _of_json(form, json.loads(read[-1][1]))
    assert done.answer == "".join(json.loads(data)["text"] for name, data in read if name == "token")
    assert done.citations == [json.loads(data) for name, data in read if name == "citation"]
    return done


def _of_plain(form: str, text: str) -> Reply:
    read = frames(text)
    assert [line for line in text.split("\n") if line == "data: [DONE]"] == ["data: [DONE]"], "read by lines, it ends once"
    assert read[-1] == (None, "[DONE]")
    assert {name for name, _ in read} <= {"sources", "citation", None}
    sources = json.loads(read[0][1])["sources"]
    citations = [json.loads(data) for name, data in read if name == "citation"]
    return Reply(form, "".join(data for name, data in read[:-1] if name is None), citations, sources, None)


def assert_harmless(reply: Reply) -> None:
    """Nothing foreign is rendered, by a Markdown reader, a browser, or who makes links of bare addresses; nothing hides."""
    shown = [reply.answer, *(each["quote"] for each in reply.citations), *(reply.unsupported or [])]
    for text in shown:
        assert markup(text) == (set(), set()), (reply.form, text)
        assert Tags(text).found == [], (reply.form, text)
        assert BARE.findall(text) == [], (reply.form, text)
        assert not {"](", "![", "]:"} & {text[at : at + 2] for at in range(len(text))}, (reply.form, text)
        assert visible(text) == text, (reply.form, text)


def assert_proved(reply: Reply) -> None:
    """Every citation names a passage that was retrieved; a verified one says what stands there, another claims nothing."""
    retrieved = {str(each["marker"]) for each in reply.sources}
    assert set(re.findall(r"\[(\d+)\]", reply.answer)) <= retrieved, reply.form
    for citation in reply.citations:
        passages = [each for each in reply.sources if each["marker"] == citation["marker"]]
        assert passages, (reply.form, citation)
        start, end = citation["char_start"], citation["char_end"]
        if citation["verified"]:
            held = [each for each in passages if each["char_start"] <= start and end <= each["char_end"]]
            assert any(each["text"][start - each["char_start"] : end - each["char_start"]] == citation["quote"] for each in held)
        else:
            assert (start, end) == (None, None), (reply.form, citation)


@pytest.mark.parametrize("name", list(ATTACKS))
async def test_what_hostile_texts_make_a_model_say_does_no_harm(
    api: Api, database: Database, openai: OpenAIServer, name: str
) -> None:
    attack = ATTACKS[name]
    for number, text in enumerate(attack.documents):
        await publish(database, api.principal, [text], name=f"{number}.txt")
    await publish(database, worker(TenantId(UUID(api.other["org"]["id"]))), [SECRET])

    for form in FORMS:
        openai.script(Script(answer=obey_everything))
        reply = await ask(api, form, attack.question)

        assert_harmless(reply)
        assert_proved(reply)
        assert attack.kept in reply.answer
        assert "Rumpelstilzchen" not in reply.answer + json.dumps(reply.sources)
        assert reply.unsupported is None or (reply.unsupported == []) == attack.proved, reply
        assert_keeps_no_secret(api, openai)


def assert_keeps_no_secret(api: Api, openai: OpenAIServer) -> None:
    """The prompt that was sent: its fence closed once a passage, and nothing of who asks or of the deployment."""
    system, user = (message["content"] for message in openai.requests[-1].json()["messages"])
    fence = user.split(" ", 1)[0].removeprefix("<passage-")
    assert user.count(f"</passage-{fence}>") == user.count(f"<passage-{fence} ") > 0
    settings, me, other = api.runtime.settings, api.session, api.other
    known = [
        me["org"]["id"], me["user"]["id"], me["user"]["email"], me["access_token"], me["refresh_token"], other["org"]["id"],
        PASSWORD, "key-of-the-tests", settings.database_password, settings.database_name, settings.bucket,
        settings.keyring_secret, settings.public_url,
    ]  # fmt: skip
    assert [secret for secret in known if secret and secret in system + user] == []
    assert visible(system + user) == system + user
