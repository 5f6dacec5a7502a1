"""The routes as clients see them."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from atrium.kernel.ids import new_id
from tests.factories.auth import bearer, join
from tests.integration.prompts.conftest import Api, Asking, Connection, Json, said


class TestVersions:
    async def test_a_prompt_is_made_changed_and_rendered(self, api: Api) -> None:
        made = await api.ada.make(type="chat", description="Says hello.", note="first")
        changed = await api.ada("PUT", f"/prompts/{made['id']}", said("Good day, {{name}}", note="politer"))
        shown = (await api.ada("GET", f"/prompts/{made['id']}")).json()

        assert (made["version"], made["layer"], made["type"], made["description"]) == (1, "tenant", "chat", "Says hello.")
        assert (changed.status_code, changed.json()["version"], changed.json()["latest_version"]) == (200, 2, 2)
        assert [(each["version"], each["note"]) for each in shown["versions"]] == [(2, "politer"), (1, "first")]
        assert shown["versions"][1]["messages"] == [{"role": "user", "content": "Hello {{name}}"}]
        assert (shown["labels"], shown["next_cursor"]) == ([], None)
        assert (await api.ada.render(made, variables={"name": "Ada"}))["messages"] == [
            {"role": "user", "content": "Good day, Ada"}
        ]

    async def test_older_versions_come_by_cursor(self, api: Api) -> None:
        made = await api.ada.make()
        for number in range(2, 6):
            await api.ada("PUT", f"/prompts/{made['id']}", said(f"{number}"))
        seen: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await api.ada("GET", f"/prompts/{made['id']}?limit=2{cursor}")).json()
            seen += [each["version"] for each in page["versions"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        assert seen == [5, 4, 3, 2, 1]

    async def test_versions_that_come_together_are_consecutive(self, api: Api) -> None:
        made = await api.ada.make()
        answers = await asyncio.gather(*(api.ada("PUT", f"/prompts/{made['id']}", said(f"text {each}")) for each in range(8)))
        numbers = {answer.json()["version"]: answer.json()["messages"] for answer in answers}
        shown = (await api.ada("GET", f"/prompts/{made['id']}")).json()
        assert sorted(numbers) == list(range(2, 10))
        assert {each["version"]: each["messages"] for each in shown["versions"] if each["version"] > 1} == numbers

    async def test_model_and_parameters_travel_with_the_version(self, api: Api) -> None:
        made = await api.ada.make(text="Hi", model="local/extractive", parameters={"temperature": 0.5, "stop": ["END"]})
        rendered = await api.ada.render(made)
        assert (rendered["model"], rendered["parameters"]) == ("local/extractive", {"temperature": 0.5, "stop": ["END"]})

    async def test_a_repeated_post_makes_one_prompt(self, api: Api) -> None:
        first, second = [await api.ada("POST", "/prompts", said("Hi", key="once"), **{"Idempotency-Key": "k1"}) for _ in range(2)]
        assert (first.status_code, second.status_code, second.headers["Idempotency-Replayed"]) == (201, 201, "true")
        assert first.json() == second.json()

    async def test_a_key_is_taken_once_and_free_after_deletion(self, api: Api) -> None:
        made = await api.ada.make()
        again = await api.ada("POST", "/prompts", said("Hi", key="greeting"))
        gone = await api.ada("DELETE", f"/prompts/{made['id']}")
        assert (again.status_code, gone.status_code) == (409, 204)
        assert (await api.ada("GET", f"/prompts/{made['id']}")).status_code == 404
        assert (await api.ada.make())["version"] == 1

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            (said("{{a b}}", key="k"), "/messages/0/content"),
            (said("x" * 60_000 + "ä" * 30_000, key="k"), "/messages"),
            (said("", key="k"), "/messages/0/content"),
            ({"messages": [], "key": "k"}, "/messages"),
            (said("x", key="Not A Key"), "/key"),
            (said("x", key="chat", type="summary"), "/type"),
            (said("x", key="k", type="poem"), "/type"),
            (said("x", key="k", parameters={"temperature": 3}), "/parameters/temperature"),
            (said("x", key="k", parameters={"top_k": 3}), "/parameters/top_k"),
            (said("x", key="rag_answer"), "/messages"),
            ({"messages": [{"role": "system", "content": "{{tone}}"}], "key": "rag_answer"}, "/messages/0/content"),
            ({"messages": [{"role": "tool", "content": "x"}], "key": "k"}, "/messages/0/role"),
        ],
    )
    async def test_what_is_no_prompt_is_refused_by_its_field(self, api: Api, body: Json, pointer: str) -> None:
        answer = await api.ada("POST", "/prompts", body)
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]

    async def test_an_unknown_model_is_named(self, api: Api) -> None:
        answer = await api.ada("POST", "/prompts", said("x", key="k", model="openai/gpt-nope"))
        assert (answer.status_code, answer.json()["type"]) == (400, "urn:atrium:problem:unknown-model")


class TestRendering:
    async def test_what_is_missing_is_named_and_what_is_too_much_is_a_warning(self, api: Api) -> None:
        made = await api.ada.make(text="{{greeting}} {{name}}, {{name}}")
        missing = await api.ada("POST", f"/prompts/{made['id']}/render", {"variables": {"name": "Ada"}})
        rendered = await api.ada.render(made, variables={"name": "Ada", "greeting": "Hi", "mood": "good", "age": 3})

        assert missing.status_code == 422
        assert [error["pointer"] for error in missing.json()["errors"]] == ["/variables/greeting"]
        assert rendered["messages"][0]["content"] == "Hi Ada, Ada"
        assert [warning.split()[-1] for warning in rendered["warnings"]] == ["age.", "mood."]

    async def test_it_explains_itself_when_asked(self, api: Api) -> None:
        made = await api.ada.make(text="Hi")
        silent = (await api.ada("POST", f"/prompts/{made['id']}/render", {})).json()
        explained = (await api.ada.render(made))["explain"]
        assert silent["explain"] is None
        assert {name: explained[name] for name in ("layer", "version", "label", "prompt_id", "passed_over")} == {
            "layer": "tenant", "version": 1, "label": "latest", "prompt_id": made["id"], "passed_over": [],
        }  # fmt: skip
        assert "no label production" in explained["reason"]

    @pytest.mark.parametrize(("which", "pointer"), [({"version": 9}, "/version"), ({"label": "beta"}, "/label")])
    async def test_what_is_not_there_is_named(self, api: Api, which: Json, pointer: str) -> None:
        made = await api.ada.make(text="Hi")
        answer = await api.ada("POST", f"/prompts/{made['id']}/render", which)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)

    async def test_a_small_prompt_does_not_make_a_huge_answer(self, api: Api) -> None:
        made = await api.ada.make(text="{{a}}" * 1000)
        answer = await api.ada("POST", f"/prompts/{made['id']}/render", {"variables": {"a": "x" * 100_000}})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/variables")


class TestLabels:
    async def test_a_label_points_moves_and_remembers(self, api: Api) -> None:
        made = await api.ada.make(text="one")
        await api.ada("PUT", f"/prompts/{made['id']}", said("two"))
        path = f"/prompts/{made['id']}/labels/production"
        first = await api.ada("PUT", path, {"version": 1})
        served = await api.ada.render(made)
        second = await api.ada("PUT", path, {"version": 2})
        history = (await api.ada("GET", f"{path}/history")).json()["data"]

        assert (first.status_code, first.json()["revision"], second.json()["revision"]) == (200, 1, 2)
        assert (served["messages"][0]["content"], served["explain"]["label"]) == ("one", "production")
        assert (await api.ada.render(made))["messages"][0]["content"] == "two"
        assert (await api.ada.render(made, label="latest"))["messages"][0]["content"] == "two"
        assert (await api.ada.render(made, version=1))["messages"][0]["content"] == "one"
        assert [(each["revision"], each["versions"]) for each in history] == [
            (2, [{"version": 2, "weight": 1.0}]), (1, [{"version": 1, "weight": 1.0}]),
        ]  # fmt: skip
        assert {each["created_by"] for each in history} == {f"user:{api.session['user']['id']}"}

    async def test_a_rollout_is_sticky_and_shared(self, api: Api) -> None:
        made = await api.ada.make(text="one")
        await api.ada("PUT", f"/prompts/{made['id']}", said("two"))
        path = f"/prompts/{made['id']}/labels/beta"
        weights = {"versions": [{"version": 1, "weight": 0.5}, {"version": 2, "weight": 0.5}]}
        assert (await api.ada("PUT", path, weights)).status_code == 200
        subjects = [f"customer-{number}" for number in range(24)]
        first, second = [[(await api.ada.render(made, label="beta", subject=each))["version"] for each in subjects] for _ in "ab"]
        explained = (await api.ada.render(made, label="beta"))["explain"]

        assert first == second
        assert set(first) == {1, 2}
        assert explained["subject"] == f"user:{api.session['user']['id']}"
        assert [each["weight"] for each in explained["versions"]] == [0.5, 0.5]

    @pytest.mark.parametrize(
        "body",
        [
            {}, {"version": 2}, {"version": 1, "versions": [{"version": 1, "weight": 1}]}, {"versions": []},
            {"versions": [{"version": 1, "weight": 0}]}, {"versions": [{"version": 1, "weight": -1}]},
            {"versions": [{"version": 1, "weight": 1}, {"version": 1, "weight": 2}]},
        ],
    )  # fmt: skip
    async def test_a_label_points_at_what_is_there(self, api: Api, body: Json) -> None:
        made = await api.ada.make()
        assert (await api.ada("PUT", f"/prompts/{made['id']}/labels/production", body)).status_code == 422

    async def test_latest_is_nobodys_to_set(self, api: Api) -> None:
        made = await api.ada.make()
        answer = await api.ada("PUT", f"/prompts/{made['id']}/labels/latest", {"version": 1})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/path/label")


class TestLayers:
    async def test_the_platforms_is_read_by_all_and_written_by_the_operator(self, api: Api) -> None:
        made = await api.operator.make(text="Platform {{name}}")
        changed = await api.operator("PUT", f"/prompts/{made['id']}", said("Platform two {{name}}"))
        assert (made["layer"], changed.json()["version"]) == ("platform", 2)
        for tenant in (api.ada, api.eve):
            shown = (await tenant("GET", f"/prompts/{made['id']}")).json()
            assert [each["version"] for each in shown["versions"]] == [2, 1]
            assert (await tenant.render(made, variables={"name": "you"}))["messages"][0]["content"] == "Platform two you"
            for method, path, body in [
                ("PUT", "", said("mine")), ("DELETE", "", None), ("PUT", "/labels/production", {"version": 1}),
            ]:  # fmt: skip
                assert (await tenant(method, f"/prompts/{made['id']}{path}", body)).status_code == 403

    async def test_a_tenants_own_goes_before_the_platforms(self, api: Api) -> None:
        platform = await api.operator.make(text="Platform")
        own = await api.ada.make(text="Own")
        mine, theirs = await api.ada.render(platform), await api.eve.render(platform)
        exactly = await api.ada.render(platform, version=1)

        assert (mine["messages"][0]["content"], mine["explain"]["layer"]) == ("Own", "tenant")
        assert (mine["explain"]["prompt_id"], mine["explain"]["passed_over"]) == (own["id"], ["platform"])
        assert (theirs["messages"][0]["content"], theirs["explain"]["layer"]) == ("Platform", "platform")
        assert (exactly["messages"][0]["content"], exactly["explain"]["layer"]) == ("Platform", "platform")
        await api.ada("DELETE", f"/prompts/{own['id']}")
        assert (await api.ada.render(platform))["explain"]["layer"] == "platform"

    async def test_a_list_shows_both_layers_by_key_and_pages(self, api: Api) -> None:
        for asking, key in ((api.operator, "b"), (api.ada, "b"), (api.ada, "a"), (api.ada, "c"), (api.eve, "d")):
            await asking.make(key=key)
        seen: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = (await api.ada("GET", f"/prompts?limit=1{cursor}")).json()
            seen += [(each["key"], each["layer"]) for each in page["data"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        assert seen == [("a", "tenant"), ("b", "tenant"), ("b", "platform"), ("c", "tenant")]
        listed = [
            (await api.ada("GET", f"/prompts?{query}")).json()["data"] for query in ("layer=platform", "key=c", "type=chat")
        ]
        assert [[each["key"] for each in rows] for rows in listed] == [["b"], ["c"], []]

    async def test_the_operator_sees_the_platforms_alone(self, api: Api) -> None:
        own = await api.ada.make()
        await api.operator.make(key="platform-only")
        assert [each["key"] for each in (await api.operator("GET", "/prompts")).json()["data"]] == ["platform-only"]
        assert (await api.operator("GET", f"/prompts/{own['id']}")).status_code == 404
        assert (await api.operator("PUT", f"/prompts/{own['id']}", said("x"))).status_code == 404

    async def test_the_operators_labels_and_deletions_hold(self, api: Api) -> None:
        made = await api.operator.make(text="one")
        await api.operator("PUT", f"/prompts/{made['id']}", said("two"))
        pointed = await api.operator("PUT", f"/prompts/{made['id']}/labels/production", {"version": 1})
        assert (pointed.status_code, pointed.json()["created_by"]) == (200, "operator")
        assert (await api.ada.render(made))["messages"][0]["content"] == "one"
        assert (await api.operator("DELETE", f"/prompts/{made['id']}")).status_code == 204
        assert (await api.ada("GET", f"/prompts/{made['id']}")).status_code == 404
        assert (await api.operator.make(text="anew"))["version"] == 1

    async def test_a_wrong_key_is_nobodys(self, api: Api) -> None:
        wrong = Asking(api.http, {"X-API-Key": "atr_live_" + "x" * 60})
        assert (await wrong("GET", "/prompts")).status_code == 401
        assert (await Asking(api.http, {})("POST", "/prompts", said("x", key="k"))).status_code == 401


class TestRights:
    async def test_members_read_and_do_not_write(self, api: Api) -> None:
        made = await api.ada.make(text="Hi")
        bob = Asking(api.http, bearer(await join(api.http, api.session, "bob@example.com")))
        assert (await bob("GET", f"/prompts/{made['id']}")).status_code == 200
        assert (await bob.render(made))["messages"][0]["content"] == "Hi"
        for method, path, body in [
            ("POST", "/prompts", said("x", key="k")), ("PUT", f"/prompts/{made['id']}", said("x")),
            ("DELETE", f"/prompts/{made['id']}", None), ("POST", "/llm-prompts/chat", said("x")),
            ("DELETE", "/llm-prompts/chat", None), ("PUT", "/llm-defaults/chat", {}),
        ]:  # fmt: skip
            assert (await bob(method, path, body)).status_code == 403

    async def test_another_tenants_prompt_is_as_good_as_none(self, api: Api) -> None:
        made = await api.ada.make()
        for method, path, body in [
            ("GET", "", None), ("PUT", "", said("x")), ("DELETE", "", None), ("POST", "/render", {}),
            ("PUT", "/labels/production", {"version": 1}), ("GET", "/labels/production/history", None),
        ]:  # fmt: skip
            answers = [await api.eve(method, f"/prompts/{each}{path}", body) for each in (made["id"], new_id())]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert len({answer.json()["detail"] for answer in answers}) == 1
        assert (await api.eve("GET", "/prompts")).json()["data"] == []
        assert (await api.eve.make())["version"] == 1

    async def test_every_change_is_audited(self, api: Api, admin_connection: Connection) -> None:
        made = await api.ada.make()
        await api.ada("PUT", f"/prompts/{made['id']}", said("x"))
        await api.ada("PUT", f"/prompts/{made['id']}/labels/production", {"version": 2})
        await api.ada("DELETE", f"/prompts/{made['id']}")
        await api.ada("PUT", "/llm-defaults/chat", {"model": "local/extractive"})
        rows = await (
            await admin_connection.execute(
                "SELECT action, target, actor FROM atrium.audit_log WHERE action ~ '^(prompt|llm)' ORDER BY at, id"
            )
        ).fetchall()
        assert [row["action"] for row in rows] == [
            "prompt.created", "prompt.version_added", "prompt.label_set", "prompt.deleted", "llm_default.set",
        ]  # fmt: skip
        assert {row["target"] for row in rows} == {f"prompt:{made['id']}", "llm_default:chat"}
        assert {row["actor"] for row in rows} == {f"user:{api.session['user']['id']}"}


class TestTypes:
    async def test_the_same_request_twice_makes_one_version(self, api: Api) -> None:
        answers = [
            await api.ada("POST", "/llm-prompts/summary", said("x {{text}}"), **{"Idempotency-Key": "k"}) for _ in range(2)
        ]
        assert [(each.status_code, each.json()["versions"][0]["version"]) for each in answers] == [(201, 1), (201, 1)]
        assert len((await api.ada("GET", "/llm-prompts/summary")).json()["versions"]) == 1

    async def test_a_type_goes_from_built_in_to_own_and_back(self, api: Api) -> None:
        builtin = (await api.ada("GET", "/llm-prompts/summary")).json()
        own = await api.ada("POST", "/llm-prompts/summary", said("Shorten {{text}}", note="short"))
        await api.ada("POST", "/llm-prompts/summary", said("Shorten more: {{text}}"))
        now = (await api.ada("GET", "/llm-prompts/summary")).json()
        default = (await api.ada("GET", "/llm-prompts/summary/default")).json()

        assert (builtin["active"]["layer"], builtin["prompt_id"], builtin["versions"]) == ("builtin", None, [])
        assert (own.status_code, own.json()["active"]["version"], own.json()["active"]["layer"]) == (201, 1, "tenant")
        assert now["active"]["messages"][0]["content"] == "Shorten more: {{text}}"
        assert [(each["version"], each["active"]) for each in now["versions"]] == [(2, True), (1, False)]
        assert (default["layer"], default["messages"]) == ("builtin", builtin["active"]["messages"])
        assert (await api.ada("GET", f"/prompts/{now['prompt_id']}")).json()["key"] == "summary"
        assert [(await api.ada("DELETE", "/llm-prompts/summary")).status_code for _ in range(2)] == [204, 204]
        assert (await api.ada("GET", "/llm-prompts/summary")).json() == builtin

    async def test_the_platforms_lies_between(self, api: Api) -> None:
        await api.operator("POST", "/llm-prompts/chat", said("Platform", model="local/extractive"))
        await api.ada("POST", "/llm-prompts/chat", said("Own"))
        own = (await api.ada("GET", "/llm-prompts/chat")).json()["active"]
        theirs = (await api.eve("GET", "/llm-prompts/chat")).json()["active"]
        default = (await api.ada("GET", "/llm-prompts/chat/default")).json()
        operators = (await api.operator("GET", "/llm-prompts/chat/default")).json()

        assert (own["layer"], own["explain"]["passed_over"]) == ("tenant", ["platform", "builtin"])
        assert (theirs["layer"], theirs["model"], default["layer"], operators["layer"]) == (
            "platform", "local/extractive", "platform", "builtin",
        )  # fmt: skip
        assert (await api.operator("DELETE", "/llm-prompts/chat")).status_code == 204
        assert (await api.eve("GET", "/llm-prompts/chat")).json()["active"]["layer"] == "builtin"

    @pytest.mark.parametrize("kind", ["chat", "rag_answer", "summary", "project_draft", "extraction", "copilot", "refine"])
    async def test_every_type_has_one_built_in(self, api: Api, kind: str) -> None:
        shown = (await api.ada("GET", f"/llm-prompts/{kind}")).json()
        assert shown["active"]["messages"][0]["role"] == "system"
        assert (await api.ada("GET", f"/llm-defaults/{kind}")).json() == {
            "type": kind, "model": "local/extractive", "parameters": {}, "chosen_by": "deployment",
        }  # fmt: skip

    async def test_a_type_that_is_none_is_422(self, api: Api) -> None:
        answer = await api.ada("GET", "/llm-prompts/poem")
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/path/type")

    async def test_defaults_are_settled_by_model_and_parameters(self, api: Api) -> None:
        body = {"model": "gpt-4.1-mini", "parameters": {"temperature": 0.2, "max_tokens": 300}}
        settled = await api.ada("PUT", "/llm-defaults/chat", body)
        unknown = await api.ada("PUT", "/llm-defaults/chat", {"model": "openai/gpt-nope"})
        theirs = (await api.eve("GET", "/llm-defaults/chat")).json()
        assert settled.json() == {"type": "chat", "chosen_by": "tenant"} | body | {"model": "openai/gpt-4.1-mini"}
        assert (unknown.status_code, unknown.json()["type"]) == (400, "urn:atrium:problem:unknown-model")
        assert (await api.ada("GET", "/llm-defaults/chat")).json() == settled.json()
        assert (theirs["model"], theirs["chosen_by"]) == ("local/extractive", "deployment")
        assert (await api.ada("PUT", "/llm-defaults/chat", {})).json()["chosen_by"] == "deployment"

    async def test_providers_say_whether_they_have_a_key(self, api: Api) -> None:
        data = (await api.ada("GET", "/llm-defaults/providers")).json()["data"]
        known = {each["name"]: each for each in data}
        assert known["local"]["configured"] is True
        assert known["local"]["models"] == ["local/extractive"]
        assert (known["openai"]["configured"], known["openai"]["setting"]) == (False, "OPENAI_API_KEY")
        assert "openai/gpt-4.1-mini" in known["openai"]["models"]


async def test_ids_that_are_none_are_422_or_404(api: Api) -> None:
    assert (await api.ada("GET", "/prompts/nothing")).status_code == 422
    assert (await api.ada("GET", f"/prompts/{uuid4()}")).status_code == 404
