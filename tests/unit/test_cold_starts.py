"""What a cold start may import, counted, not timed: tests/benchmarks/test_import_times.py measures."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from infra.areas import AREAS

ROOT: Final = Path(__file__).parents[2]
AREA_NAMES: Final = {area.name for area in AREAS}
HANDLERS: Final = sorted(path.parent.name for path in (ROOT / "functions").glob("*/handler.py"))
# Loaded on first use, where they are used at all.
HEAVY: Final = {
    *(
        "aiohttp",
        "aiohttp",
        "anthropic",
        "aws_lambda_powertools",
        "boto3",
        "botocore",
        "charset_normalizer",
        "cryptography",
        "httpx",
        "jwt",
        "lxml",
        "numpy",
    ),
    *("onnxruntime", "openai", "pgvector", "PIL", "py3langid", "pydantic.v1.main", "pypdf", "pypdfium2", "selectolax"),
    *("tesserocr", "tokenizers", "uvicorn", "atrium.documents.ingestion.pipeline", "atrium.documents.parsing.worker"),
}
WITHOUT: Final = {
    "admin": {"atrium.answers", "atrium.documents", "atrium.retrieval"},
    "auth": {"atrium.answers", "atrium.documents", "atrium.providers.catalogue", "atrium.retrieval"},
    "system": {"atrium.answers", "atrium.documents", "atrium.providers.catalogue", "atrium.retrieval"},
    "documents": {"atrium.answers", "atrium.providers.catalogue", "atrium.retrieval.service"},
    "prompts": {
        "atrium.answers",
        "atrium.documents",
        "atrium.gateway.tenant_models",
        "atrium.providers.catalogue",
        "atrium.retrieval",
    },
    "rag": {"atrium.documents"},
    "llm": {"atrium.answers", "atrium.documents", "atrium.retrieval"},
    "openai": {"atrium.answers", "atrium.documents", "atrium.retrieval"},
}
WORKERS: Final = {"atrium.answers", "atrium.web", "fastapi", "mangum", "starlette"}
PIPELINE: Final = {"atrium.documents.ingestion.pipeline", "atrium.documents.parsing.worker"}
# Some forty more than there are: the standard library is two thirds of them.
MOST: Final = {True: 650, False: 485}
OPENAPI_IS_BUILT: Final = "fastapi.openapi.models.OpenAPI.__pydantic_complete__"


@pytest.mark.parametrize("name", HANDLERS)
def test_a_handler_imports_what_it_needs(name: str) -> None:
    """And models of OpenAPI wait for who asks for its document."""
    asked = f"import fastapi.openapi.models; built = {OPENAPI_IS_BUILT}" if name in AREA_NAMES else "built = False"
    code = f"import json, sys, functions.{name}.handler; loaded = list(sys.modules); {asked}; print(json.dumps([built, *loaded]))"
    built, *modules = _run(code)
    unwanted = HEAVY | WITHOUT[name] if name in AREA_NAMES else HEAVY | WORKERS
    assert set(modules) & unwanted <= (PIPELINE if name in {"extract", "embed", "publish"} else set())
    assert len(modules) <= MOST[name in AREA_NAMES], "look with python -X importtime"
    assert built is False


def test_models_of_openapi_wait_behind_the_web_adapter_too() -> None:
    """uvicorn imports the application, not the handler."""
    assert _run(f"import json, functions.rag.app, fastapi.openapi.models; print(json.dumps([{OPENAPI_IS_BUILT}]))") == [False]


def test_after_the_import_all_is_as_usual() -> None:
    code = "import gc, json, atrium.web, pydantic, fastapi; app = fastapi.FastAPI(); app.get('/x', name='x')(lambda: 1)"
    own = "type('Own', (pydantic.BaseModel,), {}).__pydantic_complete__"
    described = "app.openapi()['paths']['/x']['get']['operationId']"
    assert _run(f"{code}; print(json.dumps([gc.isenabled(), {own}, {described}]))") == [True, True, "x_x_get"]


def _run(code: str) -> list[object]:
    """What a fresh interpreter prints, as JSON."""
    environment = os.environ | {"PYDANTIC_DISABLE_PLUGINS": "__all__"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    answer: list[object] = json.loads(done.stdout)
    return answer
