"""What a prompt must be to be stored."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final

from atrium.kernel.errors import FieldError, InvalidFields
from atrium.prompts.models import LATEST, MAX_TEMPLATE_BYTES, Author, Content, NewPrompt, PromptType, Variant
from atrium.prompts.templates import TemplateError, parse

ModelCheck = Callable[[Author, str], Awaitable[str]]
"""The model's name in full; UnknownModel for one that the author does not have."""

_TYPES: Final = frozenset(kind.value for kind in PromptType)


async def any_model(_: Author, name: str) -> str:
    """A `ModelCheck` for who knows no models."""
    return name


async def modelled(content: Content, author: Author, check: ModelCheck) -> Content:
    """The content with its model's name in full. UnknownModel. Not inside a transaction: the check may ask the database."""
    return content if content.model is None else replace(content, model=await check(author, content.model))


def typed(new: NewPrompt) -> NewPrompt:
    """The prompt with its type: under a type's name it is of that type. InvalidFields where it says another."""
    if new.key not in _TYPES:
        return new
    if new.type not in (None, new.key):
        raise InvalidFields((FieldError("/type", f"must be {new.key}: the key is this type's own"),))
    return replace(new, type=PromptType(new.key))


def check_content(content: Content, kind: PromptType | None, key: str) -> None:
    """InvalidFields for templates that cannot be read, are too long, or are none for the type.

    Answers use the prompt under their type's name by themselves, and know no values for variables.
    """
    if sum(len(message.content.encode()) for message in content.messages) > MAX_TEMPLATE_BYTES:
        raise InvalidFields((FieldError("/messages", f"have over {MAX_TEMPLATE_BYTES} bytes together"),))
    bare = key == PromptType.RAG_ANSWER
    errors = [
        error for place, message in enumerate(content.messages) for error in _template_errors(place, message.content, bare=bare)
    ]
    if kind is PromptType.RAG_ANSWER:
        errors += not_only_system(content, "/messages")
    if errors:
        raise InvalidFields(tuple(errors))


def not_only_system(content: Content, at: str) -> list[FieldError]:
    """Answers from documents take instructions alone: the passages and the question are put by the server."""
    others = any(message.role != "system" for message in content.messages)
    return [FieldError(at, "must all be system messages: passages and question follow by themselves")] if others else []


def check_variants(variants: Sequence[Variant], latest: int) -> None:
    """InvalidFields for versions that are not there or are there twice, and for weights of nothing."""
    named = [variant.version for variant in variants]
    if len(set(named)) < len(named):
        raise InvalidFields((FieldError("/versions", "name a version twice"),))
    missing = [version for version in named if not 1 <= version <= latest]
    if missing:
        raise InvalidFields((FieldError("/version", f"{missing[0]} is not there; the latest is {latest}"),))
    if not any(variant.weight > 0 for variant in variants):
        raise InvalidFields((FieldError("/versions", "need a weight above 0"),))


def check_label(label: str) -> None:
    """InvalidFields for `latest`, which is the latest version by itself."""
    if label == LATEST:
        raise InvalidFields((FieldError("/path/label", "latest is the latest version by itself"),))


def _template_errors(place: int, template: str, *, bare: bool) -> list[FieldError]:
    pointer = f"/messages/{place}/content"
    try:
        names = sorted(parse(template).names)
    except TemplateError as error:
        return [FieldError(pointer, str(error))]
    if bare and names:
        return [FieldError(pointer, f"must have no variables, as {names[0]}: answers use this prompt by themselves")]
    return []
