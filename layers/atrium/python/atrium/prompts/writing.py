"""Writing on an author's shelf: each change with its audit row, in the transaction that makes it."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from atrium.audit import record
from atrium.kernel.errors import Forbidden, NotFound
from atrium.prompts import repository
from atrium.prompts.models import Content, NewPrompt, Prompt, Variant, Version
from atrium.prompts.repository import Shelf, TenantShelf

_log: Final = logging.getLogger("atrium.prompts")


async def readable(shelf: Shelf, prompt_id: UUID) -> Prompt:
    """A prompt that the author may read. NotFound."""
    prompt = await repository.find(shelf.read, prompt_id)
    if prompt is None:
        raise NotFound("There is no such prompt.")
    return prompt


async def writable(shelf: Shelf, prompt_id: UUID) -> Prompt:
    """A prompt of the author's own. NotFound; Forbidden for the platform's."""
    prompt = await readable(shelf, prompt_id)
    if prompt.layer != shelf.layer:
        raise Forbidden(f"This prompt is the platform's. Make one with the key {prompt.key} to have your own instead.")
    return prompt


async def version(shelf: Shelf, prompt_id: UUID, number: int) -> Version:
    """A version that was just written. NotFound when the prompt was deleted meanwhile."""
    found = await repository.version(shelf.read, prompt_id, number)
    if found is None:
        raise NotFound("There is no such prompt.")
    return found


async def own(shelf: Shelf, key: str) -> Prompt | None:
    """The author's own prompt of a key."""
    found = await repository.find_by_key(shelf.read, key, None)
    return next((prompt for prompt, _ in found if prompt.layer == shelf.layer), None)


async def create(shelf: Shelf, prompt_id: UUID, new: NewPrompt, request_id: str) -> Prompt | None:
    """A prompt with its version 1, also when an earlier try has made it; None when the key is another's."""
    if await shelf.create(prompt_id, new):
        await _audit(shelf, "prompt.created", prompt_id, {"key": new.key, "version": 1}, request_id)
    made = await own(shelf, new.key)
    return made if made is not None and made.id == prompt_id else None


async def add(shelf: Shelf, prompt: Prompt, content: Content, description: str | None, request_id: str) -> int:
    """The next version's number. NotFound when the prompt was deleted meanwhile."""
    number = await shelf.add(prompt.id, content, description)
    if number is None:
        raise NotFound("There is no such prompt.")
    await _audit(shelf, "prompt.version_added", prompt.id, {"key": prompt.key, "version": number}, request_id)
    return number


async def point(shelf: Shelf, prompt: Prompt, label: str, variants: Sequence[Variant], request_id: str) -> None:
    """Another revision of a label. NotFound when the prompt was deleted meanwhile."""
    revision = await shelf.point(prompt.id, label, variants)
    if revision is None:
        raise NotFound("There is no such prompt.")
    weights = {str(variant.version): variant.weight for variant in variants}
    detail = {"key": prompt.key, "label": label, "revision": revision, "weights": weights}
    await _audit(shelf, "prompt.label_set", prompt.id, detail, request_id)


async def delete(shelf: Shelf, prompt: Prompt, request_id: str) -> None:
    """Take it away. NotFound when it is gone already."""
    if not await shelf.delete(prompt.id):
        raise NotFound("There is no such prompt.")
    detail = {"key": prompt.key, "versions": prompt.latest_version}
    await _audit(shelf, "prompt.deleted", prompt.id, detail, request_id)


async def _audit(shelf: Shelf, action: str, prompt_id: UUID, detail: Mapping[str, Any], request_id: str) -> None:
    if isinstance(shelf, TenantShelf):
        await record(shelf.tx, action=action, target=f"prompt:{prompt_id}", detail=detail, request_id=request_id)
    else:
        # No tenant's audit log has room for it: the rows themselves name the operator, and stay.
        _log.info("%s platform prompt %s: %s", action, prompt_id, dict(detail))
