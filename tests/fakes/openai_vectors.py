"""Embeddings on OpenAI's wire, and as servers of one's own give them."""

import base64
import hashlib
import math
import re
import struct
from typing import Any

from tests.fakes.wire import Reply, Script

DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}


def vector(text: str, dimensions: int) -> list[float]:
    """A deterministic vector of length 1 in which texts that share words are near each other."""
    values = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        digest = hashlib.sha256(word.encode()).digest()
        for at in range(0, 24, 4):
            place, sign = divmod(int.from_bytes(digest[at : at + 4]), 2)
            values[place % dimensions] += 1.0 if sign else -1.0
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    return [value / length for value in values]


def embeddings(body: dict[str, Any], script: Script, *, own: bool) -> Reply:
    """The reply to `POST /embeddings`."""
    texts = _texts(body["input"])
    if not texts or not (own or all(texts)):
        return _wrong("'$.input' is invalid: empty")
    if own and "dimensions" in body:
        return _wrong("unknown field dimensions")
    rows = _bent([vector(text or " ", _size(body, own=own)) for text in texts], script.vectors)
    if own:
        rows = [[3.5 * value for value in row] for row in rows]
    encode = _base64 if body.get("encoding_format") == "base64" and not own else list
    data = [{"object": "embedding", "index": at, "embedding": encode(each)} for at, each in enumerate(rows)]
    if script.vectors == "index":
        data[-1]["index"] = len(data)
    tokens = sum(len(text.split()) for text in texts)
    usage = {"usage": {"prompt_tokens": tokens, "total_tokens": tokens}} if script.usage and not own else {}
    return Reply({"object": "list", "data": data, "model": body["model"]} | usage, usage=(tokens, 0))


def _texts(given: Any) -> list[str]:
    """One text or several; token ids, of one text or several, are words of their own."""
    if isinstance(given, str):
        return [given]
    if given and isinstance(given[0], int):
        return [" ".join(map(str, given))]
    return [each if isinstance(each, str) else " ".join(map(str, each)) for each in given]


def _size(body: dict[str, Any], *, own: bool) -> int:
    if own:
        named = re.search(r"\d+$", body["model"])
        return int(named[0]) if named else 768
    return int(body.get("dimensions") or DIMENSIONS.get(body["model"], 1536))


def _bent(rows: list[list[float]], fault: str) -> list[list[float]]:
    match fault:
        case "nan" | "inf":
            return [*rows[:-1], [float(fault), *rows[-1][1:]]]
        case "short":
            return [*rows[:-1], rows[-1][:-1]]
        case "few":
            return rows[:-1]
        case _:
            return rows


def _base64(values: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


def _wrong(message: str) -> Reply:
    return Reply({"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}, status=400)
