"""/docs and /redoc: pages made from the OpenAPI document that load nothing from anywhere.

They work offline and under a policy that allows this page's own script and style alone; a viewer from somebody's CDN
would do neither.
"""

import json
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from html import escape
from pathlib import Path
from typing import Any, Final

from functions.system.documentation import merged

_ASSETS: Final = Path(__file__).parent / "assets"
_STYLE: Final = (_ASSETS / "docs.css").read_text(encoding="utf-8")
_SCRIPT: Final = (_ASSETS / "docs.js").read_text(encoding="utf-8")
_METHODS: Final = ("get", "post", "put", "patch", "delete")
_MAX_DEPTH: Final = 4
_SIMPLE: Final[dict[str, Any]] = {"string": "text", "array": [], "boolean": False}


def _source(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; script-src {_source(_SCRIPT)}; style-src {_source(_STYLE)}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-cache",
}


@cache
def explorer() -> str:
    """Every operation, with a form that sends it."""
    document = merged()
    operations = "".join(_operation(document, *each, trial=True) for each in _operations(document))
    credentials = (
        '<p class="key"><label>API key or access token <input id="credential" type="password" autocomplete="off"></label> '
        "kept in this page only</p>"
    )
    return _page(document, credentials + operations, _SCRIPT)


@cache
def reference() -> str:
    """Every operation and every schema, to read."""
    document = merged()
    operations = "".join(_operation(document, *each, trial=False) for each in _operations(document))
    schemas = "".join(
        f'<section id="schema-{escape(name)}"><h3>{escape(name)}</h3><pre>{_json(schema)}</pre></section>'
        for name, schema in sorted(document["components"]["schemas"].items())
    )
    return _page(document, f"{operations}<h2>Schemas</h2>{schemas}", "")


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                yield method, path, item[method]


def _page(document: dict[str, Any], body: str, script: str) -> str:
    title = escape(document["info"]["title"])
    contents = "".join(
        f'<li><a href="#{_anchor(method, path)}"><b>{method.upper()}</b> {escape(path)}</a></li>'
        for method, path, _ in _operations(document)
    )
    tail = f"<script>{script}</script>" if script else ""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><nav><ul>{contents}</ul></nav><main><h1>{title}</h1><p>{escape(document['info'].get('description', ''))} "
        f'<a href="openapi.json">openapi.json</a></p>{body}</main>{tail}</body></html>'
    )


def _operation(document: dict[str, Any], method: str, path: str, operation: dict[str, Any], *, trial: bool) -> str:
    access = "needs a key or token" if operation.get("security") else "public"
    parameters = operation.get("parameters", [])
    bodies = operation.get("requestBody", {}).get("content", {})
    return (
        f'<section class="operation" id="{_anchor(method, path)}" data-method="{method.upper()}" data-path="{escape(path)}">'
        f'<h2><span class="{method}">{method.upper()}</span> {escape(path)}</h2>'
        f"<p>{escape(operation.get('description', ''))} <i>{access}</i></p>"
        f"{_parameters(parameters)}{_bodies(document, bodies)}{_responses(operation['responses'])}"
        f"{_trial(document, parameters, bodies) if trial else ''}</section>"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(each['name'])}</code></td><td>{escape(each['in'])}</td><td>{_type(each['schema'])}</td>"
        f"<td>{escape(each.get('description', ''))}</td></tr>"
        for each in parameters
    )
    return f"<table><tr><th>Parameter</th><th>in</th><th>type</th><th></th></tr>{rows}</table>" if rows else ""


def _bodies(document: dict[str, Any], bodies: dict[str, Any]) -> str:
    return "".join(
        f"<details><summary>Body: {escape(kind)}</summary><pre>{_json(_resolved(document, body['schema']))}</pre></details>"
        for kind, body in bodies.items()
    )


def _responses(responses: dict[str, Any]) -> str:
    items = "".join(
        f"<li><b>{escape(code)}</b> {escape(each['description'])} {_links(each)}</li>" for code, each in responses.items()
    )
    return f"<details><summary>Responses</summary><ul>{items}</ul></details>"


def _links(response: dict[str, Any]) -> str:
    names = [
        body["schema"]["$ref"].rsplit("/", 1)[-1]
        for body in response.get("content", {}).values()
        if "$ref" in body.get("schema", {})
    ]
    return " ".join(f'<a href="redoc#schema-{escape(name)}">{escape(name)}</a>' for name in names)


def _trial(document: dict[str, Any], parameters: list[dict[str, Any]], bodies: dict[str, Any]) -> str:
    fields = "".join(
        f'<label>{escape(each["name"])} <input data-in="{escape(each["in"])}" name="{escape(each["name"])}"></label>'
        for each in parameters
    )
    body = ""
    if "application/json" in bodies:
        example = _example(_resolved(document, bodies["application/json"]["schema"]))
        body = f'<textarea rows="8" spellcheck="false">{_json(example)}</textarea>'
    return (
        f'<details class="try"><summary>Try it</summary>{fields}{body}<button>Send</button><pre class="answer"></pre></details>'
    )


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    return escape(str(schema.get("format") or schema.get("type") or schema.get("$ref", "").rsplit("/", 1)[-1]))


def _resolved(document: dict[str, Any], schema: Any, depth: int = 0) -> Any:  # noqa: ANN401  JSON of any kind
    """The schema with its references replaced, as deep as a reader follows."""
    if isinstance(schema, list):
        return [_resolved(document, each, depth) for each in schema]
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return _resolved(document, document["components"]["schemas"].get(name, {}), depth + 1)
    return {key: _resolved(document, value, depth) for key, value in schema.items()}


def _example(schema: dict[str, Any]) -> Any:  # noqa: ANN401  JSON of any kind
    """A body to start from: what is required, with a value of the right kind."""
    for key in ("default", "const", "examples", "enum"):
        if key in schema:
            return schema[key][0] if key in {"examples", "enum"} else schema[key]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0])
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        return {name: _example(properties[name]) for name in schema.get("required", ()) if name in properties}
    if schema.get("format") == "email":
        return "you@example.com"
    return _SIMPLE.get(schema.get("type", ""), schema.get("minimum", 1))


def _anchor(method: str, path: str) -> str:
    return escape(f"{method}{path}".replace("/", "-").replace("{", "").replace("}", ""))


def _json(value: Any) -> str:  # noqa: ANN401  JSON of any kind
    return escape(json.dumps(value, indent=2, ensure_ascii=False))
