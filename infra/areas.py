"""Every Lambda of Atrium: what it serves, what it carries, how big it is. The stack, the packager and the edge read it here.

Imports nothing beyond the standard library, so the edge can read it without the CDK.
"""

from dataclasses import dataclass
from typing import Literal

API_VERSION = "v1"

LayerName = Literal["base", "atrium", "llm", "docs", "ocr", "embed"]
DatabaseRole = Literal["atrium_app", "atrium_relay", "atrium_migrator", "master", "none"]

LAYERS: tuple[LayerName, ...] = ("base", "atrium", "llm", "docs", "ocr", "embed")
_LEAN: tuple[LayerName, ...] = ("base", "atrium")
_MODEL: tuple[LayerName, ...] = ("base", "atrium", "llm", "embed")


@dataclass(frozen=True, slots=True)
class Function:
    """One Lambda: its code is `functions/<name>/`, its entry `functions.<name>.handler.handler`.

    `memory` and `storage` (/tmp) in MB, `timeout` in seconds. `master` logs in with Aurora's master secret. `also` are roles that
    the function may log in as beside `database`.
    """

    name: str
    layers: tuple[LayerName, ...] = _LEAN
    memory: int = 512
    timeout: int = 29
    storage: int = 512
    database: DatabaseRole = "atrium_app"
    also: tuple[DatabaseRole, ...] = ()
    provider_keys: bool = False

    @property
    def handler(self) -> str:
        """The import path of the Lambda entry, the same in Lambda, tests and local."""
        return f"functions.{self.name}.handler.handler"


@dataclass(frozen=True, slots=True)
class Area(Function):
    """A Lambda behind the API. It owns `/api/v1/<prefix>` and everything below, and the unversioned alias `/api/<prefix>`.

    `roots` are the paths it owns outside `/api`. A streaming area answers through Lambda Web Adapter
    (functions/<name>/run.sh) for up to `timeout` seconds; the others have 29, a REST API's limit for buffered replies.
    """

    prefixes: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    streaming: bool = False


AREAS: tuple[Area, ...] = (
    Area("auth", prefixes=("auth", "api-keys", "users", "tenant"), memory=1024),
    Area("documents", prefixes=("documents", "collections")),
    Area("rag", prefixes=("rag", "query"), layers=_MODEL, memory=2048, timeout=900, provider_keys=True, streaming=True),
    Area("llm", prefixes=("llm",), layers=_MODEL, memory=2048, timeout=900, provider_keys=True, streaming=True),
    Area("openai", roots=("v1",), layers=_MODEL, memory=2048, timeout=900, provider_keys=True, streaming=True),
    # These two tell which providers have a key of the deployment's.
    Area("prompts", prefixes=("prompts", "llm-prompts", "llm-defaults"), provider_keys=True),
    Area("admin", prefixes=("admin",), provider_keys=True),
    Area(
        "system",
        prefixes=("health", "metrics"),
        roots=("", "healthz", "readyz", "health", "metrics", ".well-known", "docs", "redoc", "openapi.json"),
    ),
)

WORKERS: tuple[Function, ...] = (
    Function("ingest", timeout=60),
    Function("extract", layers=("base", "atrium", "docs", "ocr"), memory=3008, timeout=600, storage=2048),
    Function("embed", layers=_MODEL, memory=3008, timeout=300, provider_keys=True),
    Function("publish", memory=1024, timeout=300),
    Function("migrate", timeout=900, database="master"),
    Function("housekeeping", timeout=300, also=("atrium_relay",)),
    # The owner of the tables has a function of its own: nothing that reads documents logs in as it.
    Function("indexing", timeout=900, database="atrium_migrator"),
)

FUNCTIONS: tuple[Function, ...] = (*AREAS, *WORKERS)


def function(name: str) -> Function:
    """The function of that name; `KeyError` when there is none."""
    return {each.name: each for each in FUNCTIONS}[name]


def area_for(path: str) -> Area | None:
    """The area that owns a request path, as API Gateway's resources decide it; None when none does."""
    first, *rest = path.lstrip("/").split("/")
    if first == "api":
        below = rest[1:] if rest[:1] == [API_VERSION] else rest
        return next((area for area in AREAS if below and below[0] in area.prefixes), None)
    return next((area for area in AREAS if first in area.roots), None)
