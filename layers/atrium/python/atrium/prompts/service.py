"""What people do with prompts. An author is a tenant's principal, or the operator for the platform's prompts."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from atrium.db import Database, Transaction
from atrium.kernel.errors import Conflict
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Operator, Principal
from atrium.prompts import repository, resolving, writing
from atrium.prompts.checks import ModelCheck, any_model, check_content, check_label, check_variants, modelled, typed
from atrium.prompts.models import Author, Content, Label, NewPrompt, Prompt, PromptFilter, Reference, Rendered, Variant, Version
from atrium.prompts.repository import shelf_of


class PromptService:
    """Prompts and their use. `check_model` refuses models that are not there (UnknownModel).

    Errors: NotFound for an absent prompt as for another tenant's; Forbidden when a tenant would change the platform's.
    """

    def __init__(self, database: Database, check_model: ModelCheck = any_model) -> None:
        self._database = database
        self._check_model = check_model

    async def create(
        self, author: Author, new: NewPrompt, *, prompt_id: UUID | None = None, request_id: str = ""
    ) -> tuple[Prompt, Version]:
        """A prompt with its version 1, under `prompt_id`. Conflict when the author has one of the key; InvalidFields."""
        new = typed(new)
        check_content(new.content, new.type, new.key)
        new = replace(new, content=await modelled(new.content, author, self._check_model))
        async with shelf_of(self._database, author) as shelf:
            made = await writing.create(shelf, prompt_id or new_id(), new, request_id)
            if made is None:
                raise Conflict(f"There is a prompt with the key {new.key}. PUT adds a version to it.")
            return made, await writing.version(shelf, made.id, 1)

    async def add_version(
        self, author: Author, prompt_id: UUID, content: Content, *, description: str | None = None, request_id: str = ""
    ) -> tuple[Prompt, Version]:
        """The next version; a description of None stays. InvalidFields."""
        content = await modelled(content, author, self._check_model)
        async with shelf_of(self._database, author) as shelf:
            prompt = await writing.writable(shelf, prompt_id)
            check_content(content, prompt.type, prompt.key)
            number = await writing.add(shelf, prompt, content, description, request_id)
            return await writing.readable(shelf, prompt_id), await writing.version(shelf, prompt_id, number)

    async def delete(self, author: Author, prompt_id: UUID, *, request_id: str = "") -> None:
        """Take a prompt away, with its versions and labels; the layer below answers for its key then."""
        async with shelf_of(self._database, author) as shelf:
            await writing.delete(shelf, await writing.writable(shelf, prompt_id), request_id)

    async def point(
        self, author: Author, prompt_id: UUID, label: str, variants: Sequence[Variant], *, request_id: str = ""
    ) -> Label:
        """Let a label point at a version, or at several by weight. InvalidFields for versions that are not there."""
        check_label(label)
        async with shelf_of(self._database, author) as shelf:
            prompt = await writing.writable(shelf, prompt_id)
            check_variants(variants, prompt.latest_version)
            await writing.point(shelf, prompt, label, variants, request_id)
            pointed = await repository.label_history(shelf.read, prompt_id, label, None, 1)
            return pointed[0]

    async def list_page(
        self, author: Author, chosen: PromptFilter, *, after: tuple[str, str] | None = None, limit: int = 50
    ) -> list[Prompt]:
        """The author's prompts and the platform's, by key, after a (key, layer)."""
        async with shelf_of(self._database, author) as shelf:
            return await repository.list_page(shelf.read, chosen, after, limit)

    async def get(
        self, author: Author, prompt_id: UUID, *, before: int | None = None, limit: int = 20
    ) -> tuple[Prompt, list[Version], list[Label]]:
        """A prompt, its versions (the newest first, before a number), and where its labels point."""
        async with shelf_of(self._database, author) as shelf:
            prompt = await writing.readable(shelf, prompt_id)
            versions = await repository.versions(shelf.read, prompt_id, before, limit)
            return prompt, versions, await repository.labels(shelf.read, prompt_id)

    async def label_history(
        self, author: Author, prompt_id: UUID, label: str, *, before: int | None = None, limit: int = 50
    ) -> list[Label]:
        """Where a label has pointed, the newest first, before a revision; nothing for a label that was never set."""
        async with shelf_of(self._database, author) as shelf:
            await writing.readable(shelf, prompt_id)
            return await repository.label_history(shelf.read, prompt_id, label, before, limit)

    async def render(self, author: Author, prompt_id: UUID, reference: Reference) -> Rendered:
        """The prompt's messages with values in them; `reference` says version or label, variables, subject.

        A platform's prompt is answered by the tenant's own of the same key, as wherever the key is used, unless a version is
        asked for. InvalidFields for a version, label or variable that is not there.
        """
        async with shelf_of(self._database, author) as shelf:
            prompt = await writing.readable(shelf, prompt_id)
            reference = replace(reference, key=prompt.key, subject=reference.subject or subject_of(author))
            layer = None if reference.version is None else prompt.layer
            found = await resolving.find(shelf.read, reference, at="", only=layer)
        return resolving.rendered(found, reference, at="")

    async def resolve(self, principal: Principal, reference: Reference, *, at: str = "/prompt") -> Rendered:
        """The messages of a prompt that a request names, or of a type's own (its key is the type's name).

        The tenant's own goes before the platform's, that before the one that ships with the code. InvalidFields under the JSON
        pointer `at` for a prompt, version, label or variable that is not there.
        """
        async with self._database.transaction(principal) as tx:
            return await self.resolve_in(tx, reference, at=at)

    async def resolve_in(self, tx: Transaction, reference: Reference, *, at: str = "/prompt") -> Rendered:
        """`resolve` inside a transaction that is open."""
        reference = replace(reference, subject=reference.subject or tx.principal.subject)
        return resolving.rendered(await resolving.find(tx.fetch_all, reference, at=at), reference, at=at)


def subject_of(author: Author) -> str:
    """Who gets always the same of several versions, where nobody else is named."""
    return f"operator:{author.key_id}" if isinstance(author, Operator) else author.subject
