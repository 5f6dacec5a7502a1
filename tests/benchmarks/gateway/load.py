"""Asks one server over so many connections at once and prints what it took, as JSON; a process of its own.

Reads a plan from stdin: {"host", "port", "path", "headers", "body", "connections", "requests"}. Milliseconds: `times` of whole
answers, `firsts` until the first byte of the body, `gaps` between the first and the last byte of it.
"""

import asyncio
import json
import sys
import time
from typing import Any


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[float, float, int]:
    """Seconds to the first byte of the body, to its end; the status."""
    begun = time.perf_counter()
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" in lower:
        first = 0.0
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            await reader.readexactly(size + 2)
            first = first or time.perf_counter()
            if size == 0:
                return first - begun, time.perf_counter() - begun, status
    length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    end = time.perf_counter() - begun
    return end, end, status


async def _client(plan: dict[str, Any], request: bytes, left: list[int], found: list[tuple[float, float]]) -> None:
    reader, writer = await asyncio.open_connection(plan["host"], plan["port"], limit=2**22)
    while left[0] > 0:
        left[0] -= 1
        first, end, status = await _ask(reader, writer, request)
        if status != 200:
            raise SystemExit(f"answered {status}")
        found.append((first, end))
    writer.close()


async def _run(plan: dict[str, Any]) -> dict[str, list[float]]:
    body = plan["body"].encode()
    headers = {"host": f"{plan['host']}:{plan['port']}", "content-type": "application/json"} | plan["headers"]
    lines = [f"POST {plan['path']} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    request = "\r\n".join([*lines, f"content-length: {len(body)}", "", ""]).encode() + body
    found: list[tuple[float, float]] = []
    left = [plan["requests"]]
    await asyncio.gather(*(_client(plan, request, left, found) for _ in range(plan["connections"])))
    return {"firsts": [first * 1000 for first, _ in found], "times": [end * 1000 for _, end in found]}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_run(json.load(sys.stdin)))))
