"""A library of 1,400 abstracts through the drop folder, with the database restarted once and workers killed twice meanwhile.

None may be lost and none doubled. Prints documents/s.
"""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL
from typing import Any, Final

import psycopg
import pytest

from infra.local.cloud import Cloud
from infra.local.postgres import start_postgres
from tests.conformance.real_data import DATA, needs_data
from tests.e2e.test_main_job import Tenant
from tests.e2e.workers import lambda_workers

pytestmark = needs_data

PATIENCE: Final = 1500.0
# Two of the abstracts are empty, in the collection as it was published.
EMPTY: Final = {"471", "995"}


def _kill(function: str) -> Callable[[Cloud], None]:
    def kill(cloud: Cloud) -> None:
        killed = lambda_workers(cloud, function)
        for process in killed:
            process.end(number=SIGKILL)
        assert killed, f"no worker of {function} was running"

    return kill


def _restart_database(cloud: Cloud) -> None:
    cloud.postgres.stop()
    start_postgres(cloud.state_dir / "postgres")


# What happens when this share of the documents is through.
TROUBLES: Final = [(0.15, _kill("extract")), (0.4, _restart_database), (0.65, _kill("embed"))]


@dataclass
class Library:
    """The abstracts, and how long they took."""

    tenant: Tenant
    texts: dict[str, str]
    seconds: float = 0.0
    troubles: list[float] = field(default_factory=list)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Past row level security; the query names the tenant once."""
        with psycopg.connect(self.tenant.cloud.postgres.superuser_dsn) as connection:
            return connection.execute(query, [self.tenant.id]).fetchall()


@pytest.fixture(scope="module")
def library(local_cloud: Cloud) -> Iterator[Library]:
    corpus = [json.loads(line) for line in Path(DATA, "rag", "cranfield", "corpus.jsonl").read_text().splitlines()]
    made = Library(Tenant(local_cloud), {row["_id"]: row["text"] for row in corpus})
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda item: made.tenant.drop(f"cranfield/{item[0]}.txt", item[1].encode()), made.texts.items()))
    _wait(made, began)
    made.seconds = time.monotonic() - began
    yield made
    made.tenant.http.close()


def _wait(library: Library, began: float) -> None:
    waiting = list(TROUBLES)
    while (share := _through(library) / len(library.texts)) < 1:
        assert time.monotonic() - began < PATIENCE, f"after {PATIENCE:.0f} s {share:.1%} were through"
        if waiting and share >= waiting[0][0]:
            waiting.pop(0)[1](library.tenant.cloud)
            library.troubles.append(share)
        time.sleep(1)


def _through(library: Library) -> int:
    query = "SELECT count(*) FROM atrium.document_versions WHERE tenant_id = %s AND status IN ('ready', 'failed')"
    ((count,),) = library.rows(query)
    return int(count)


def test_every_abstract_is_there_once(library: Library) -> None:
    print(
        f"\n{len(library.texts)} documents in {library.seconds:.0f} s: {len(library.texts) / library.seconds:.1f} documents/s",
        file=sys.stderr,
    )
    assert len(library.troubles) == len(TROUBLES)
    named = library.rows("SELECT name, collection, latest_version FROM atrium.documents WHERE tenant_id = %s")
    assert sorted(named) == sorted((f"{number}.txt", "cranfield", 1) for number in library.texts)


def test_only_what_is_empty_failed_and_says_so(library: Library) -> None:
    outcomes = library.rows(
        "SELECT d.name, v.status, v.error_type FROM atrium.documents d JOIN atrium.document_versions v"
        " ON v.tenant_id = d.tenant_id AND v.document_id = d.id WHERE d.tenant_id = %s"
    )
    assert {name: kind for name, status, kind in outcomes if status == "failed"} == {
        f"{number}.txt": "empty-text" for number in EMPTY
    }
    assert Counter(status for _, status, _ in outcomes) == {"ready": len(library.texts) - len(EMPTY), "failed": len(EMPTY)}


def test_no_chunk_is_lost_or_doubled(library: Library) -> None:
    rows = library.rows(
        "SELECT d.name, array_agg(c.ordinal ORDER BY c.ordinal), array_agg(c.char_start ORDER BY c.ordinal),"
        " array_agg(c.char_end ORDER BY c.ordinal), array_agg(c.text ORDER BY c.ordinal)"
        " FROM atrium.documents d JOIN atrium.chunks c ON c.tenant_id = d.tenant_id AND c.document_id = d.id"
        " WHERE d.tenant_id = %s GROUP BY d.id, d.name"
    )
    assert len(rows) == len(library.texts) - len(EMPTY)
    for name, ordinals, starts, ends, texts in rows:
        assert ordinals == list(range(len(ordinals))), name
        covered = set[int]().union(*(range(start, end) for start, end in zip(starts, ends, strict=True)))
        held = "".join(text for text in texts) if len(texts) == 1 else None
        whole = library.texts[name.removesuffix(".txt")].strip()
        assert held is None or held == whole, name
        assert len(covered) >= len("".join(whole.split())), name


def test_nothing_is_left_in_work(library: Library) -> None:
    listing = library.tenant.cloud.emulator.client("s3").list_objects_v2(
        Bucket=library.tenant.cloud.bucket, Prefix=f"work/{library.tenant.id}/"
    )
    assert listing.get("Contents", []) == []


def test_what_was_read_is_found(library: Library) -> None:
    library.tenant.log_in()  # ten minutes are over
    found = library.tenant.http.post(
        "/rag/search", json={"query": "aerodynamics of a wing in a propeller slipstream", "top_k": 5}
    ).raise_for_status()
    assert "1.txt" in {result["document_name"] for result in found.json()["results"]}
