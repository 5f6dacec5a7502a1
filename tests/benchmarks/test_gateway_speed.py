"""What a call through the gateway adds to asking the provider itself, beside LiteLLM's proxy and Portkey's gateway, in one run.

Ours authenticates, limits, reserves and settles every call in a Postgres that waits for its disk as in production; the others
look at a key at most. All are one process. Ask the ratios: the milliseconds are this machine's, which all the parts share.
"""

import json
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg
import pytest

from infra.local.postgres import scratch_dir
from tests.benchmarks.gateway import peers
from tests.benchmarks.gateway.peers import Peer
from tests.benchmarks.gateway.upstream import PROMPT
from tests.factories.cluster import Cluster

TOKENS: Final = 50
PAUSE: Final = 0.01  # seconds a token of the slow stream
MESSAGES: Final = [{"role": "user", "content": "Say word fifty times. " * 10}]
CHAT: Final[dict[str, Any]] = {"model": "gpt-4.1-mini", "messages": MESSAGES, "max_tokens": 100}
EMBEDDING: Final = {"model": "text-embedding-3-small", "input": ["some words"] * 100, "encoding_format": "float"}
REQUESTS: Final = {1: 400, 8: 1600, 32: 3200}
# LiteLLM takes a hundred times as long.
PATIENCE: Final = {"LiteLLM": 10}


@pytest.fixture(scope="module")
def durable() -> Iterator[Cluster]:
    """A server of its own, which waits for its disk."""
    place = scratch_dir()
    cluster = Cluster(place / "server", durable=True)
    yield cluster
    cluster.server.stop()
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def line_up(durable: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[float, list[Peer]]]:
    """By the upstream's seconds a token: the upstream, and all that stand before it."""
    folder = tmp_path_factory.mktemp("peers")
    with ExitStack() as stack:
        found: dict[float, list[Peer]] = {}
        for pause in (0.0, PAUSE):
            direct = stack.enter_context(peers.upstream(TOKENS, pause))
            settings = durable.settings(stack.enter_context(durable.clone()), pool_size=8).model_dump()
            found[pause] = [
                direct,
                stack.enter_context(peers.ours(direct, settings, durable.server.process.pid)),
                stack.enter_context(peers.portkey(direct)),
                stack.enter_context(peers.litellm(direct, folder)),
            ]
        yield found


def test_whole_answers(line_up: dict[float, list[Peer]]) -> None:
    print(f"\n{'whole answers':14} {'connections':>11} {'added p50 ms':>13} {'p95':>8} {'× ours':>7} {'computing ms':>13}")
    for connections in REQUESTS:
        _compare(line_up[0.0], CHAT, "/v1/chat/completions", connections, "times")


def test_first_tokens(line_up: dict[float, list[Peer]]) -> None:
    print(f"\n{'first token':14} {'connections':>11} {'added p50 ms':>13} {'p95':>8} {'× ours':>7} {'computing ms':>13}")
    for connections in (1, 8):
        _compare(line_up[PAUSE], CHAT | {"stream": True}, "/v1/chat/completions", connections, "firsts", share=20)


def test_tokens(line_up: dict[float, list[Peer]]) -> None:
    """All tokens at once: what each adds."""
    print(f"\n{'streams':14} {'connections':>11} {'added p50 ms':>13} {'p95':>8} {'× ours':>7} {'computing ms':>13}")
    _compare(line_up[0.0], CHAT | {"stream": True}, "/v1/chat/completions", 1, "times")


def test_embeddings(line_up: dict[float, list[Peer]]) -> None:
    print(f"\n{'100 vectors':14} {'connections':>11} {'added p50 ms':>13} {'p95':>8} {'× ours':>7} {'computing ms':>13}")
    _compare(line_up[0.0], EMBEDDING, "/v1/embeddings", 1, "times", share=8)


def test_ten_thousand_calls_are_settled_to_the_last(line_up: dict[float, list[Peer]], durable: Cluster) -> None:
    """What the ledger says is what the upstream says that it answered."""
    direct, atrium, *_ = line_up[0.0]
    before, billed = _entries(durable), _bill(direct)
    _ask(atrium, CHAT, "/v1/chat/completions", 32, 10_000)
    *entered, left = (new - old for new, old in zip(_entries(durable), before, strict=True))
    told = [new - old for new, old in zip(_bill(direct), billed, strict=True)]
    print("\n10,000 calls: {:,} entries, {:,} + {:,} tokens,".format(*entered), f"{left} not settled; upstream's: {told}")
    assert (entered, left) == (told, 0)
    assert told == [10_000, 10_000 * PROMPT, 10_000 * TOKENS]


def _compare(line_up: list[Peer], body: Mapping[str, Any], path: str, connections: int, what: str, *, share: int = 1) -> None:
    direct, *others = line_up
    count = max(connections * 4, REQUESTS[connections] // share)
    base = statistics.median(_ask(direct, body, path, connections, count)[what])
    added: dict[str, float] = {}
    for peer in others:
        requests = max(connections * 2, count // PATIENCE.get(peer.name, 1))
        _ask(peer, body, path, connections, max(connections, 20))  # warm
        before = peer.computing()
        times = _ask(peer, body, path, connections, requests)[what]
        computing = [(after - start) / requests * 1000 for after, start in zip(peer.computing(), before, strict=True)]
        added[peer.name] = statistics.median(times) - base
        spent = " + ".join(f"{each:.2f}" for each in computing)
        tail = sorted(times)[int(len(times) * 0.95)] - base
        ratio = added[peer.name] / added["Atrium"]
        print(f"{peer.name:14} {connections:>11} {added[peer.name]:>13.2f} {tail:>8.2f} {ratio:>7.1f} {spent:>13}")


def _ask(peer: Peer, body: Mapping[str, Any], path: str, connections: int, requests: int) -> dict[str, list[float]]:
    plan = {
        "host": "127.0.0.1", "port": peer.port, "path": path, "headers": dict(peer.headers), "body": json.dumps(body),
        "connections": connections, "requests": requests,
    }  # fmt: skip
    script = Path(__file__).with_name("gateway") / "load.py"
    done = subprocess.run([sys.executable, script], input=json.dumps(plan), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{peer.name}: {done.stderr}"
    answer: dict[str, list[float]] = json.loads(done.stdout)
    return answer


def _bill(upstream: Peer) -> tuple[int, int, int]:
    """Calls that it answered, tokens of the prompts and of the answers."""
    told = httpx.get(f"http://127.0.0.1:{upstream.port}/count", trust_env=False).json()
    return told["calls"], told["prompt"], told["output"]


def _entries(cluster: Cluster) -> tuple[int, int, int, int]:
    """Of all databases: entries, input and output tokens, reservations."""
    total = (0, 0, 0, 0)
    with cluster.superuser("postgres") as connection:
        names = [name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test_%'")]
    for name in names:
        with cluster.superuser(name) as connection:
            (found,) = _figures(connection)
            total = (total[0] + found[0], total[1] + found[1], total[2] + found[2], total[3] + found[3])
    return total


def _figures(connection: psycopg.Connection) -> list[tuple[int, int, int, int]]:
    return connection.execute(
        "SELECT count(*), coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(output_tokens), 0)::bigint,"
        " (SELECT count(*) FROM atrium.ledger_reservations) FROM atrium.ledger_entries"
    ).fetchall()
