"""Embeddings under /v1: relayed as bytes and checked, or of the local model."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.openai_server import OpenAIServer
from tests.fakes.wire import Script
from tests.integration.openai.conftest import Api

MODEL = "local/all-minilm-l6-v2"
SMALL = "text-embedding-3-small"


@pytest.mark.parametrize("given", ["one text", ["two", "texts"], [5, 6, 7], [[5, 6], [7]]])
@pytest.mark.parametrize("form", ["float", "base64"])
async def test_every_input_and_both_forms_pass(api: Api, given: Any, form: str) -> None:
    answer = await api.post("/embeddings", {"model": SMALL, "input": given, "encoding_format": form})
    assert answer.status_code == 200, answer.text
    data = answer.json()["data"]
    assert len(data) == (2 if isinstance(given, list) and not isinstance(given[0], int) else 1)
    vector = data[0]["embedding"]
    assert (len(vector) if form == "float" else len(base64.b64decode(vector)) // 4) == 1536
    (call,) = await api.calls()
    assert (call["kind"], call["outcome"], call["model"]) == ("embedding", "ok", f"openai/{SMALL}")


async def test_dimensions_are_the_clients(api: Api) -> None:
    answer = await api.post("/embeddings", {"model": SMALL, "input": "text", "dimensions": 256})
    assert len(answer.json()["data"][0]["embedding"]) == 256


KNOWN = {"model": SMALL, "input": "text", "dimensions": 256, "encoding_format": "float", "user": "u-1"}
UNKNOWN = {"truncate": "END", "image_url": "http://169.254.169.254/", "none": None}


async def test_other_fields_are_not_passed_on_but_named(api: Api, openai: OpenAIServer) -> None:
    answer = await api.post("/embeddings", KNOWN | UNKNOWN)
    assert (answer.status_code, answer.headers["x-atrium-ignored"]) == (200, "truncate, image_url")
    assert openai.requests[-1].json() == KNOWN
    assert "x-atrium-ignored" not in (await api.post("/embeddings", KNOWN)).headers


async def test_the_local_model_names_what_it_is_not_told(api: Api, model_dir: Path) -> None:
    api.runtime.settings = api.runtime.settings.model_copy(update={"model_dir": str(model_dir)})
    answer = await api.post("/embeddings", {"model": MODEL, "input": "text", "truncate": "END"})
    assert (answer.status_code, answer.headers["x-atrium-ignored"]) == (200, "truncate")


@pytest.mark.parametrize("form", ["float", "base64"])
async def test_the_local_model_answers_in_both_forms(api: Api, model_dir: Path, form: str) -> None:
    api.runtime.settings = api.runtime.settings.model_copy(update={"model_dir": str(model_dir)})
    answer = await api.post("/embeddings", {"model": MODEL, "input": ["one", "two"], "encoding_format": form})
    assert answer.status_code == 200, answer.text
    vector = answer.json()["data"][1]["embedding"]
    values = vector if form == "float" else struct.unpack("<384f", base64.b64decode(vector))
    assert len(values) == 384
    (call,) = await api.calls()
    assert (call["cost"], call["counted"]) == (0, True)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "token ids of another model": ({"model": MODEL, "input": [1, 2]}, "input"),
    "another length": ({"model": MODEL, "input": "text", "dimensions": 256}, "dimensions"),
    "nothing": ({"model": SMALL, "input": []}, "input"),
    "an empty text": ({"model": SMALL, "input": ["a", ""]}, "input"),
    "texts and tokens": ({"model": SMALL, "input": ["a", [1]]}, "input"),
    "another form": ({"model": SMALL, "input": "a", "encoding_format": "hex"}, "encoding_format"),
}


async def test_a_text_over_what_the_local_model_reads_is_refused_with_both_numbers(api: Api, model_dir: Path) -> None:
    api.runtime.settings = api.runtime.settings.model_copy(update={"model_dir": str(model_dir)})
    answer = await api.post("/embeddings", {"model": MODEL, "input": "word " * 300})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (400, "context_length_exceeded")
    assert "302" in error["message"]
    assert "256" in error["message"]
    (call,) = await api.calls()
    assert call["outcome"] == "failed"


@pytest.mark.parametrize("name", list(REFUSED))
async def test_what_cannot_be_embedded_is_named(api: Api, name: str) -> None:
    body, param = REFUSED[name]
    answer = await api.post("/embeddings", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert await api.calls() == []


def reply(*vectors: Any) -> str:
    data = [{"object": "embedding", "index": at, "embedding": each} for at, each in enumerate(vectors)]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return json.dumps({"object": "list", "data": data, "model": SMALL, "usage": usage})


NAN = base64.b64encode(struct.pack("<1536f", *[float("nan")] * 1536)).decode()


@pytest.mark.parametrize(
    "body",
    [reply([1.0] * 3), reply([float("nan")] * 1536), reply(NAN), reply("!!"), reply(), "<html>", reply([1.0] * 1536)[:-40]],
    ids=["short", "NaN", "NaN in base64", "no base64", "none", "garbage", "torn"],
)
async def test_unusable_vectors_are_502_with_attempts(api: Api, openai: OpenAIServer, body: str) -> None:
    openai.script(Script(garbage=body))
    answer = await api.post("/embeddings", {"model": SMALL, "input": "text"})
    assert (answer.status_code, answer.json()["error"]["attempts"][0]["outcome"]) == (502, "failed")
    (call,) = await api.calls()
    # The texts were read, and are paid for.
    assert (call["outcome"], call["counted"], call["cost"] > 0) == ("failed", False, True)


async def test_an_error_that_is_null_is_none(api: Api, openai: OpenAIServer) -> None:
    whole = json.loads(reply([1.0] * 1536))
    for error, status in ((None, 200), ({"message": "x"}, 502)):
        openai.script(Script(garbage=json.dumps({"error": error} | whole)))
        assert (await api.post("/embeddings", {"model": SMALL, "input": "text"})).status_code == status
