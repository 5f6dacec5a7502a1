"""Prompts and models by what they are for: views of the same store.

The prompt of a type is the one whose key is the type's name. What a tenant settles for a type beside it, a model and its
parameters, holds where neither the request nor the prompt says one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from atrium.audit import record
from atrium.db import Database, Transaction
from atrium.kernel.errors import Conflict
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Principal
from atrium.prompts import repository, resolving, writing
from atrium.prompts.checks import ModelCheck, any_model, check_content, modelled
from atrium.prompts.models import PRODUCTION, Author, Content, Found, NewPrompt, PromptType, Reference, Variant, Version
from atrium.prompts.repository import shelf_of
from atrium.prompts.service import subject_of

_SHOWN: Final = 20


class TypePrompts:
    """The one prompt that a feature uses by itself, by its type."""

    def __init__(self, database: Database, check_model: ModelCheck = any_model) -> None:
        self._database = database
        self._check_model = check_model

    async def active(self, author: Author, kind: PromptType) -> tuple[Found, list[Version]]:
        """What answers for the type now, and the newest versions of the prompt that it is of (none: it is built in)."""
        async with shelf_of(self._database, author) as shelf:
            found = await resolving.find(shelf.read, Reference(kind, subject=subject_of(author)), at="")
            prompt_id = found.explain.prompt_id
            return found, [] if prompt_id is None else await repository.versions(shelf.read, prompt_id, None, _SHOWN)

    async def default(self, author: Author, kind: PromptType) -> Found:
        """What answers without the author's own: the platform's, or the one that ships with the code."""
        async with shelf_of(self._database, author) as shelf:
            return await resolving.find(shelf.read, Reference(kind, subject=subject_of(author)), at="", without=shelf.layer)

    async def put(
        self, author: Author, kind: PromptType, content: Content, *, prompt_id: UUID | None = None, request_id: str = ""
    ) -> None:
        """A new version of the author's own, a new prompt where there was none; `production` points at it. InvalidFields."""
        check_content(content, kind, kind)
        content = await modelled(content, author, self._check_model)
        async with shelf_of(self._database, author) as shelf:
            version, prompt = 1, await writing.create(shelf, prompt_id or new_id(), NewPrompt(kind, content, kind), request_id)
            if prompt is None:
                prompt = await writing.own(shelf, kind)
                if prompt is None:
                    raise Conflict("The prompt was deleted meanwhile: try it again.")
                version = await writing.add(shelf, prompt, content, None, request_id)
            await writing.point(shelf, prompt, PRODUCTION, (Variant(version),), request_id)

    async def reset(self, author: Author, kind: PromptType, *, request_id: str = "") -> None:
        """Take the author's own away, where there is one; the layer below answers then."""
        async with shelf_of(self._database, author) as shelf:
            prompt = await writing.own(shelf, kind)
            if prompt is not None:
                await writing.delete(shelf, prompt, request_id)


@dataclass(frozen=True, slots=True)
class LlmDefault:
    """A type's model and parameters, and whose choice they are. `parameters`: names of `ChatRequest`."""

    type: PromptType
    model: str
    parameters: Mapping[str, Any]
    chosen_by: str


class LlmDefaults:
    """What a tenant settled for each type. `deployment_model` answers where it settled nothing."""

    def __init__(self, database: Database, deployment_model: str, check_model: ModelCheck = any_model) -> None:
        self._database = database
        self._deployment_model = deployment_model
        self._check_model = check_model

    async def get(self, principal: Principal, kind: PromptType) -> LlmDefault:
        """The model and parameters that hold for a type."""
        async with self._database.transaction(principal) as tx:
            return await self.get_in(tx, kind)

    async def get_in(self, tx: Transaction, kind: PromptType) -> LlmDefault:
        """`get` inside a transaction that is open."""
        model, parameters, general = await repository.find_default(tx, kind)
        own = model or general
        return LlmDefault(kind, own or self._deployment_model, parameters, "tenant" if own else "deployment")

    async def put(
        self, principal: Principal, kind: PromptType, model: str | None, parameters: Mapping[str, Any], *, request_id: str = ""
    ) -> LlmDefault:
        """Settle them; a model of None leaves it to the tenant's or the deployment's for everything. UnknownModel."""
        if model is not None:
            model = await self._check_model(principal, model)
        async with self._database.transaction(principal) as tx:
            await repository.set_default(tx, kind, model, dict(parameters))
            detail = {"model": model, "parameters": dict(parameters)}
            await record(tx, action="llm_default.set", target=f"llm_default:{kind}", detail=detail, request_id=request_id)
            return await self.get_in(tx, kind)
