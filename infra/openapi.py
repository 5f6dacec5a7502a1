"""docs/openapi.json: the OpenAPI documents of all areas as one. `python -m infra.openapi docs/openapi.json` writes it."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from atrium.kernel.settings import Settings
from atrium.runtime import Runtime
from infra.areas import AREAS

_INFO: Final = {
    "title": "Atrium",
    "version": "1",
    "description": "Tenants, documents, retrieval, and answers with verified citations. Errors are RFC 9457 problems.",
}


def merged_document() -> dict[str, Any]:
    """The document, made from the code of every area."""
    return merge(list(area_apps(Runtime(Settings())).values()))


def area_apps(runtime: Runtime) -> dict[str, FastAPI]:
    """Every area's application over one runtime, by its name."""
    return {area.name: importlib.import_module(f"functions.{area.name}.app").create_app(runtime) for area in AREAS}


def merge(apps: list[FastAPI]) -> dict[str, Any]:
    """One document of several applications'. ValueError where two mean different things by the same name."""
    paths: dict[str, Any] = {}
    components: dict[str, dict[str, Any]] = {}
    version = ""
    for app in apps:
        document = app.openapi()
        version = document["openapi"]
        _add(paths, document["paths"], "path")
        for kind, entries in document.get("components", {}).items():
            _add(components.setdefault(kind, {}), entries, kind)
    _check_operation_ids(paths)
    return {"openapi": version, "info": _INFO, "paths": paths, "components": components}


def render(document: dict[str, Any]) -> str:
    """As it is committed: a diff shows what changed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _add(target: dict[str, Any], entries: dict[str, Any], kind: str) -> None:
    for name, entry in entries.items():
        if target.setdefault(name, entry) != entry:
            raise ValueError(f"two areas declare the {kind} {name}, and differently")


def _check_operation_ids(paths: dict[str, Any]) -> None:
    ids = [operation["operationId"] for item in paths.values() for operation in item.values()]
    if repeated := {each for each in ids if ids.count(each) > 1}:
        raise ValueError(f"operation ids are repeated: {', '.join(sorted(repeated))}")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render(merged_document()), encoding="utf-8")
