"""5,000 random operations by two tenants over the whole API: nothing of one is ever in an answer to the other.

A state machine of hypothesis drives it. Every answer is searched for the other's marks: words that only its texts hold,
names, and every id that was ever shown to it. What each tenant has is kept in a model, which lists and searches must equal.
"""

import asyncio
import itertools
import json
import re
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from atrium.db import Database
from atrium.kernel.ids import new_id
from infra.openapi import area_apps
from tests.factories.auth import UNLIMITED, LocalRuntime, WholeApi, bearer, client, join, make_key, register
from tests.factories.cluster import Cluster
from tests.factories.documents import World
from tests.integration.operations import OPERATIONS, PRIVATE

EXAMPLES: Final = 58
STEPS: Final = 100
OPERATIONS_AT_LEAST: Final = 5000
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAMES: Final = ("a.txt", "b.md", "deep/c.txt")
_COLLECTIONS: Final = ("default", "north", "south")
# Who "created" what came by the drop folder.
_NOBODY: Final = str(UUID(int=0))
_words: Final = itertools.count()

sides = st.sampled_from([0, 1])
actors = st.sampled_from(["admin", "member", "viewer", "key"])
writers = st.sampled_from(["admin", "member", "key"])
names = st.sampled_from(_NAMES)
collections = st.sampled_from(_COLLECTIONS)


@dataclass
class Doc:
    """A document of the model. `words`: that of the text it serves, or none while nothing is ready."""

    id: str
    name: str
    collection: str
    word: str
    old_words: list[str] = field(default_factory=list)


@dataclass
class Side:
    """One tenant: who acts for it, what it has, what it was shown."""

    mark: str
    tenant: str
    headers: dict[str, dict[str, str]]
    documents: dict[tuple[str, str], Doc] = field(default_factory=dict)
    gone: list[Doc] = field(default_factory=list)
    shown: set[str] = field(default_factory=set)
    users: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


class Deployment:
    """The API and the ingestion in this process, on one event loop and one database."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.loop = asyncio.new_event_loop()
        database_settings = cluster.settings(name)
        self.database = Database(database_settings)
        self.runtime = LocalRuntime(database_settings, self.database, **UNLIMITED)
        self.ingestion = World(self.runtime.settings, self.database)
        self.runtime.memory_storage = self.ingestion.storage
        self.http = client(WholeApi(area_apps(self.runtime)))
        self.operations = 0

    def run[T](self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.http.aclose())
        self.run(self.database.close())
        self.loop.close()

    async def tenant(self, mark: str) -> Side:
        """An organisation with one of each role and a key; all that names it holds its mark."""
        admin = await register(self.http, f"admin@{mark}.example", f"Organisation {mark}")
        roles = {role: await join(self.http, admin, f"{role}@{mark}.example", role) for role in ("member", "viewer")}
        key = await make_key(self.http, admin, name=f"key {mark}", role="admin")
        headers = {"admin": bearer(admin), "key": {"X-API-Key": key["key"]}} | {role: bearer(s) for role, s in roles.items()}
        side = Side(mark, admin["org"]["id"], headers)
        for seen in (admin, key, *roles.values()):
            side.shown |= set(_ID.findall(json.dumps(seen)))
        return side


@pytest.fixture(scope="module")
def deployment(cluster: Cluster) -> Iterator[Deployment]:
    with cluster.clone() as name:
        made = Deployment(cluster, name)
        yield made
        made.close()


class TwoTenants(RuleBasedStateMachine):
    """Two tenants who use, mistake and attack one deployment in turns."""

    deployment: Deployment

    @initialize()
    def begin(self) -> None:
        number = next(_words)
        self.sides = [self.deployment.run(self.deployment.tenant(f"mark{number}{letter}q")) for letter in "xy"]

    def ask(
        self, side: int, actor: str, method: str, path: str, body: object = None, *, sent: set[str] | None = None, **more: Any
    ) -> httpx.Response:
        """One operation; the answer holds nothing of the other tenant, but for ids that were sent."""
        mine, others = self.sides[side], self.sides[1 - side]
        headers = mine.headers[actor] | ({"Idempotency-Key": f"k{next(_words)}"} if method == "POST" else {})
        answer = self.deployment.run(self.deployment.http.request(method, f"/api/v1{path}", json=body, headers=headers, **more))
        self.deployment.operations += 1
        said = answer.text + json.dumps(dict(answer.headers))
        assert others.mark not in said, (method, path)
        ids = set(_ID.findall(said)) - {_NOBODY}
        assert not (ids - (sent or set())) & others.shown, (method, path)
        assert answer.status_code < 500, answer.text
        mine.shown |= ids - (sent or set()) - others.shown
        return answer

    def _text(self, side: int) -> tuple[str, str]:
        word = f"{self.sides[side].mark}word{next(_words)}z"
        return word, f"The pump of plant {word} is inspected every Monday. It was made in Bergen."

    def _ingest(self, key: str) -> None:
        world = self.deployment.ingestion
        self.deployment.run(world.ingest(world.arrival(key)))

    def _serve(self, side: int, name: str, collection: str, document_id: str, word: str) -> None:
        mine = self.sides[side]
        known = mine.documents.get((collection, name))
        if known:
            assert known.id == document_id
            known.old_words.append(known.word)
            known.word = word
        else:
            mine.documents[(collection, name)] = Doc(document_id, name, collection, word)

    @rule(side=sides, actor=writers, name=names, collection=collections)
    def upload(self, side: int, actor: str, name: str, collection: str) -> None:
        word, text = self._text(side)
        body = {
            "name": name,
            "content": text,
            "collection": collection,
            "metadata": {"owner": self.sides[side].mark, "n": len(word)},
        }
        answer = self.ask(side, actor, "POST", "/documents", body)
        assert answer.status_code == 202, answer.text
        document_id = answer.json()["id"]
        prefix = f"uploads/{self.sides[side].tenant}/{document_id}/"
        self._ingest(max(self.deployment.ingestion.keys(prefix), key=lambda key: int(key.split("/")[3])))
        self._serve(side, name, collection, document_id, word)

    @rule(side=sides, name=names, collection=collections)
    def drop(self, side: int, name: str, collection: str) -> None:
        word, text = self._text(side)
        world = self.deployment.ingestion
        key = f"drop/{self.sides[side].tenant}/{collection}/{name}"
        self.deployment.run(world.storage.put(key, text.encode(), content_type="text/plain"))
        self._ingest(key)
        listed = self.ask(side, "admin", "GET", "/documents", params={"name": name, "collection": collection}).json()["data"]
        self._serve(side, name, collection, listed[0]["id"], word)

    @rule(side=sides, actor=writers, which=st.integers(0, 8))
    def delete(self, side: int, actor: str, which: int) -> None:
        mine = self.sides[side]
        if not mine.documents:
            return
        place = sorted(mine.documents)[which % len(mine.documents)]
        document = mine.documents.pop(place)
        assert self.ask(side, actor, "DELETE", f"/documents/{document.id}").status_code == 204
        mine.gone.append(document)

    @rule(side=sides, actor=actors)
    def listed(self, side: int, actor: str) -> None:
        data = self.ask(side, actor, "GET", "/documents", params={"limit": 100}).json()["data"]
        assert {row["id"] for row in data} == {each.id for each in self.sides[side].documents.values()}

    @rule(side=sides, actor=actors, which=st.integers(0, 8), part=st.sampled_from(["", "/status", "/chunks", "/download"]))
    def read(self, side: int, actor: str, which: int, part: str) -> None:
        documents = list(self.sides[side].documents.values())
        if documents:
            document = documents[which % len(documents)]
            answer = self.ask(side, actor, "GET", f"/documents/{document.id}{part}")
            assert answer.status_code == 200, answer.text
            assert part != "/chunks" or document.word in answer.text

    @rule(side=sides, actor=writers, which=st.integers(0, 8), value=st.sampled_from(["red", "blue"]))
    def describe(self, side: int, actor: str, which: int, value: str) -> None:
        documents = list(self.sides[side].documents.values())
        if documents:
            document = documents[which % len(documents)]
            body = {"metadata": {"colour": value}}
            assert self.ask(side, actor, "PATCH", f"/documents/{document.id}", body).status_code == 200
            filters = {"type": "eq", "key": "colour", "value": value}
            found = self._found(side, actor, document.word, filters=filters, mode="keyword")
            assert document.id in found

    @rule(side=sides, actor=actors, mode=st.sampled_from(["hybrid", "vector", "keyword"]), collection=st.none() | collections)
    def search(self, side: int, actor: str, mode: str, collection: str | None) -> None:
        """Each word that is served is found in its document alone; those of old versions and of deleted documents nowhere."""
        mine = self.sides[side]
        narrowed: dict[str, Any] = {} if collection is None else {"collections": [collection]}
        alive = {each.id for each in mine.documents.values() if collection in {None, each.collection}}
        found = self._found(side, actor, f"the pump of plant {mine.mark}", mode=mode, **narrowed)
        assert found <= alive
        for document in itertools.islice(mine.documents.values(), 2):
            hits = self._found(side, actor, document.word, mode="keyword", **narrowed)
            assert hits == ({document.id} & alive)
        stale = [word for each in mine.documents.values() for word in each.old_words[-1:]] + [
            each.word for each in mine.gone[-1:]
        ]
        for word in stale[:2]:
            assert self._found(side, actor, word, mode="keyword") == set()

    @rule(side=sides, actor=actors, path=st.sampled_from(["/query", "/query/sync", "/rag/query"]))
    def question(self, side: int, actor: str, path: str) -> None:
        answer = self.ask(side, actor, "POST", path, {"question": f"When is the pump of {self.sides[side].mark} inspected?"})
        assert answer.status_code == 200, answer.text
        cited = {each["document_id"] for each in answer.json()["citations"]} if path != "/query" else set()
        assert cited <= {each.id for each in self.sides[side].documents.values()}

    @rule(side=sides, actor=actors, mode=st.sampled_from(["hybrid", "vector", "keyword"]))
    def search_for_what_is_anothers(self, side: int, actor: str, mode: str) -> None:
        """Its words, its documents by id, its metadata: nothing, and nothing to tell that they exist."""
        others = self.sides[1 - side]
        theirs = [each.id for each in others.documents.values()][:5]
        words = [each.word for each in others.documents.values()][:2]
        for query in ("the pump", *words):
            body: dict[str, Any] = {"query": query, "mode": mode, "top_k": 50}
            if theirs and query == "the pump":
                body["document_ids"] = theirs
            results = self.ask(side, actor, "POST", "/rag/search", body, sent=set(theirs)).json()["results"]
            assert {each["document_id"] for each in results} <= {each.id for each in self.sides[side].documents.values()} - set(
                theirs
            )
        filters = {"type": "eq", "key": "owner", "value": others.mark[:-1] + "q"}
        assert self._found(side, actor, "pump", filters=filters, mode=mode) == set()

    @rule(
        side=sides,
        actor=actors,
        which=st.integers(0, 200),
        operation=st.sampled_from(sorted(n for n in PRIVATE if "{id}" in OPERATIONS[n][1])),
    )
    def reach_for_what_is_anothers(self, side: int, actor: str, which: int, operation: str) -> None:
        """Another's id is as unknown as one that nobody has."""
        theirs = sorted(self.sides[1 - side].shown)
        wanted, absent = theirs[which % len(theirs)], str(new_id())
        method, path, description = OPERATIONS[operation]
        body: dict[str, Any] | None = {} if "requestBody" in description else None
        short = path.removeprefix("/api/v1")
        answers = [self.ask(side, actor, method, short.replace("{id}", each), body, sent={wanted}) for each in (wanted, absent)]
        assert answers[0].status_code == answers[1].status_code
        assert answers[0].status_code in {403, 404, 422}, answers[0].text
        bodies = [cast("dict[str, Any]", each.json()) | {"instance": ""} for each in answers]
        assert bodies[0] == bodies[1]

    @rule(
        side=sides,
        actor=actors,
        path=st.sampled_from(["/auth/me", "/tenant", "/users", "/api-keys", "/collections", "/auth/status"]),
    )
    def look_around(self, side: int, actor: str, path: str) -> None:
        answer = self.ask(side, actor, "GET", path)
        assert answer.status_code in {200, 401, 403}, answer.text

    @rule(side=sides, role=st.sampled_from(["member", "viewer"]))
    def invite(self, side: int, role: str) -> None:
        mine = self.sides[side]
        email = f"guest{next(_words)}@{mine.mark}.example"
        answer = self.ask(side, "admin", "POST", "/users", {"email": email, "role": role})
        assert answer.status_code == 201, answer.text
        mine.users.append(answer.json()["id"])

    @precondition(lambda self: any(side.users for side in self.sides))
    @rule(side=sides, which=st.integers(0, 5))
    def uninvite(self, side: int, which: int) -> None:
        mine = self.sides[side]
        if mine.users:
            user = mine.users.pop(which % len(mine.users))
            assert self.ask(side, "admin", "DELETE", f"/users/{user}").status_code == 204

    @rule(side=sides, role=st.sampled_from(["viewer", "member"]))
    def make_a_key(self, side: int, role: str) -> None:
        mine = self.sides[side]
        answer = self.ask(side, "admin", "POST", "/api-keys", {"name": f"{mine.mark} {next(_words)}", "role": role})
        assert answer.status_code == 201, answer.text
        mine.keys.append(answer.json()["id"])

    @rule(side=sides, which=st.integers(0, 5))
    def end_a_key(self, side: int, which: int) -> None:
        mine = self.sides[side]
        if mine.keys:
            key = mine.keys.pop(which % len(mine.keys))
            assert self.ask(side, "admin", "DELETE", f"/api-keys/{key}").status_code == 204

    @rule(side=sides, collection=st.sampled_from(_COLLECTIONS[1:]), actor=writers)
    def shape_a_collection(self, side: int, collection: str, actor: str) -> None:
        body = {"metadata": {"kept_by": self.sides[side].mark}}
        answer = self.ask(side, actor, "PATCH", f"/collections/{collection}", body)
        assert answer.status_code in {200, 403, 404}, answer.text

    def _found(self, side: int, actor: str, query: str, **more: Any) -> set[str]:
        answer = self.ask(side, actor, "POST", "/rag/search", {"query": query, "top_k": 50, **more})
        assert answer.status_code == 200, answer.text
        return {each["document_id"] for each in answer.json()["results"]}


def test_no_operation_of_one_tenant_shows_anything_of_the_other(deployment: Deployment) -> None:
    TwoTenants.deployment = deployment
    run_state_machine_as_test(
        TwoTenants,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert deployment.operations >= OPERATIONS_AT_LEAST
