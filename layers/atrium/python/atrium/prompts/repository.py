"""The rows of prompts. A shelf is where an author writes: a tenant's own rows in its transaction, or the platform's.

Both read alike, through the same queries; what a shelf shows is decided by the database.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final, LiteralString, Protocol
from uuid import UUID

from atrium.db import Database, Transaction, load_queries
from atrium.kernel.errors import Conflict
from atrium.kernel.principal import Operator
from atrium.prompts.models import (
    MAX_LABELS,
    MAX_PROMPTS,
    MAX_REVISIONS,
    MAX_VERSIONS,
    Author,
    Content,
    Label,
    Layer,
    NewPrompt,
    Prompt,
    PromptFilter,
    PromptType,
    Variant,
    Version,
    variants_of,
)

_queries: Final = load_queries(__package__)
Rows = list[dict[str, Any]]


class Reader(Protocol):
    """What can be asked: a transaction's `fetch_all`, or the database's `call`, which is no tenant's."""

    async def __call__(self, query: LiteralString, **params: object) -> Rows:
        """Every row."""
        ...


class Shelf(Protocol):
    """Where an author's prompts are."""

    layer: Layer
    read: Reader

    async def create(self, prompt_id: UUID, new: NewPrompt) -> bool:
        """A prompt with its version 1; False when the key is taken."""
        ...

    async def add(self, prompt_id: UUID, content: Content, description: str | None) -> int | None:
        """The next version; None where there is no such prompt."""
        ...

    async def point(self, prompt_id: UUID, label: str, variants: Sequence[Variant]) -> int | None:
        """The label's next revision; None where there is no such prompt."""
        ...

    async def delete(self, prompt_id: UUID) -> bool:
        """Take it away; False where there is none."""
        ...


class TenantShelf:
    """A tenant's own, in its transaction."""

    layer: Layer = "tenant"

    def __init__(self, tx: Transaction) -> None:
        self.tx: Final = tx
        self.read: Reader = tx.fetch_all

    async def create(self, prompt_id: UUID, new: NewPrompt) -> bool:
        """See `Shelf`."""
        inserted = await self.tx.execute(
            _queries.insert_prompt, **self._key(prompt_id), key=new.key, type=new.type, description=new.description
        )
        if inserted:
            await self.tx.execute(_queries.insert_version, **self._key(prompt_id), version=1, **_content(new.content))
            await self._cap(_queries.count_prompts, prompt_id, MAX_PROMPTS, "prompts of an organisation")
        return inserted == 1

    async def add(self, prompt_id: UUID, content: Content, description: str | None) -> int | None:
        """See `Shelf`."""
        row = await self.tx.fetch_one(_queries.next_version, **self._key(prompt_id), description=description)
        if row is None:
            return None
        version: int = row["version"]
        if version > MAX_VERSIONS:
            raise _full(MAX_VERSIONS, "versions of a prompt")
        await self.tx.execute(_queries.insert_version, **self._key(prompt_id), version=version, **_content(content))
        return version

    async def point(self, prompt_id: UUID, label: str, variants: Sequence[Variant]) -> int | None:
        """See `Shelf`."""
        if await self.tx.fetch_one(_queries.hold_prompt, **self._key(prompt_id)) is None:
            return None
        row = await self.tx.fetch_one(_queries.insert_label, **self._key(prompt_id), label=label, variants=_variants(variants))
        await self._cap(_queries.count_labels, prompt_id, MAX_LABELS, "labels of a prompt")
        if row is not None and row["revision"] > MAX_REVISIONS:
            raise _full(MAX_REVISIONS, "revisions of a label")
        return None if row is None else int(row["revision"])

    async def delete(self, prompt_id: UUID) -> bool:
        """See `Shelf`."""
        return await self.tx.execute(_queries.delete_prompt, **self._key(prompt_id)) == 1

    async def _cap(self, count: LiteralString, prompt_id: UUID, most: int, what: str) -> None:
        """Conflict, which undoes the transaction, where there are too many now."""
        row = await self.tx.fetch_one(count, **self._key(prompt_id))
        if row is not None and row["present"] > most:
            raise _full(most, what)

    def _key(self, prompt_id: UUID) -> dict[str, object]:
        principal = self.tx.principal
        return {"tenant_id": principal.tenant_id, "id": prompt_id, "by": principal.subject}


class PlatformShelf:
    """The platform's, by functions that only the operator's name opens."""

    layer: Layer = "platform"

    def __init__(self, database: Database, operator: Operator) -> None:
        self._operator = operator
        self.read: Reader = database.call

    async def create(self, prompt_id: UUID, new: NewPrompt) -> bool:
        """See `Shelf`."""
        fields = {"key": new.key, "type": new.type, "description": new.description}
        return bool(await self._call(_queries.platform_create, prompt_id, **fields, **_content(new.content)))

    async def add(self, prompt_id: UUID, content: Content, description: str | None) -> int | None:
        """See `Shelf`."""
        return _number(await self._call(_queries.platform_add, prompt_id, description=description, **_content(content)))

    async def point(self, prompt_id: UUID, label: str, variants: Sequence[Variant]) -> int | None:
        """See `Shelf`."""
        return _number(await self._call(_queries.platform_point, prompt_id, label=label, variants=_variants(variants)))

    async def delete(self, prompt_id: UUID) -> bool:
        """See `Shelf`."""
        return bool(await self._call(_queries.platform_delete, prompt_id))

    async def _call(self, query: LiteralString, prompt_id: UUID, **params: object) -> object:
        proof = {"operator": self._operator.key_id, "proof": self._operator.digest}
        rows = await self.read(query, **proof, id=prompt_id, **params)
        return next(iter(rows[0].values()))


@asynccontextmanager
async def shelf_of(database: Database, author: Author) -> AsyncIterator[Shelf]:
    """The author's shelf; a tenant's is open for one transaction."""
    if isinstance(author, Operator):
        yield PlatformShelf(database, author)
        return
    async with database.transaction(author) as tx:
        yield TenantShelf(tx)


async def find(read: Reader, prompt_id: UUID) -> Prompt | None:
    """A prompt that may be read."""
    rows = await read(_queries.find_prompt, id=prompt_id)
    return Prompt.from_row(rows[0]) if rows else None


async def find_by_key(read: Reader, key: str, label: str | None) -> list[tuple[Prompt, tuple[Variant, ...]]]:
    """The prompts of a key, the tenant's first, and where the label points in each (nowhere: nothing)."""
    rows = await read(_queries.find_by_key, key=key, label=label)
    return [(Prompt.from_row(row), variants_of(row["variants"] or [])) for row in rows]


async def list_page(read: Reader, chosen: PromptFilter, after: tuple[str, str] | None, limit: int) -> list[Prompt]:
    """Prompts by key, a key's own before the platform's, after a (key, layer)."""
    after_key, after_layer = after or (None, None)
    rows = await read(
        _queries.list_prompts,
        type=chosen.type, key=chosen.key, layer=chosen.layer, after_key=after_key, after_layer=after_layer, limit=limit,
    )  # fmt: skip
    return [Prompt.from_row(row) for row in rows]


async def version(read: Reader, prompt_id: UUID, number: int) -> Version | None:
    """One version."""
    rows = await read(_queries.find_version, id=prompt_id, version=number)
    return Version.from_row(rows[0]) if rows else None


async def versions(read: Reader, prompt_id: UUID, before: int | None, limit: int) -> list[Version]:
    """Versions, the newest first, before a number."""
    rows = await read(_queries.list_versions, id=prompt_id, before=before, limit=limit)
    return [Version.from_row(row) for row in rows]


async def labels(read: Reader, prompt_id: UUID) -> list[Label]:
    """Where each label points now."""
    return [Label.from_row(row) for row in await read(_queries.list_labels, id=prompt_id)]


async def label_history(read: Reader, prompt_id: UUID, name: str, before: int | None, limit: int) -> list[Label]:
    """Where a label has pointed, the newest first, before a revision."""
    rows = await read(_queries.label_history, id=prompt_id, label=name, before=before, limit=limit)
    return [Label.from_row(row) for row in rows]


async def find_default(tx: Transaction, kind: PromptType) -> tuple[str | None, dict[str, Any], str | None]:
    """The model and parameters that the tenant settled for a type, and its model for whatever has none of its own."""
    row = await tx.fetch_one(_queries.find_default, tenant_id=tx.principal.tenant_id, type=kind)
    return (None, {}, None) if row is None else (row["model"], row["parameters"] or {}, row["chat_model"])


async def set_default(tx: Transaction, kind: PromptType, model: str | None, parameters: dict[str, Any]) -> None:
    """Settle them."""
    principal = tx.principal
    await tx.execute(
        _queries.set_default,
        tenant_id=principal.tenant_id, type=kind, model=model, parameters=parameters, by=principal.subject,
    )  # fmt: skip


def _content(content: Content) -> dict[str, object]:
    return {
        "messages": json.dumps([asdict(message) for message in content.messages]),
        "model": content.model,
        "parameters": dict(content.parameters),
        "note": content.note,
    }


def _full(most: int, what: str) -> Conflict:
    return Conflict(f"There are at most {most:,} {what}.")


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _variants(variants: Sequence[Variant]) -> str:
    return json.dumps([asdict(variant) for variant in variants])
