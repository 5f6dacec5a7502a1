"""From a reference to messages: which layer, which version, and why; then the values go in."""

from collections.abc import Mapping
from typing import Final

from atrium.kernel.errors import FieldError, InvalidFields
from atrium.prompts import repository
from atrium.prompts.builtin import builtin_prompts
from atrium.prompts.models import (
    LATEST,
    MAX_RENDERED,
    PRODUCTION,
    Explain,
    Found,
    Layer,
    Prompt,
    Reference,
    Rendered,
    Variant,
)
from atrium.prompts.repository import Reader
from atrium.prompts.rollout import chosen
from atrium.prompts.templates import TooLong, names_of, parse, render
from atrium.providers.base import Message

_WHOSE: Final[Mapping[Layer, str]] = {"tenant": "your own", "platform": "the platform's", "builtin": "built in"}


async def find(read: Reader, reference: Reference, *, at: str, only: Layer | None = None, without: Layer | None = None) -> Found:
    """The version that a reference means: of the first layer that has its key. InvalidFields, under the pointer `at`.

    `only` one layer, or all `without` one.
    """
    label = reference.label or PRODUCTION
    layers = await repository.find_by_key(read, reference.key, label)
    layers = [each for each in layers if only in (None, each[0].layer) and each[0].layer != without]
    if not layers:
        return _builtin(reference, at)
    (prompt, variants), below = layers[0], tuple(other.layer for other, _ in layers[1:])
    if reference.key in builtin_prompts():
        below = (*below, "builtin")
    number, explain = _decide(prompt, variants, reference, below, at)
    version = await repository.version(read, prompt.id, number)
    if version is None:
        raise _wrong(f"{at}/version", f"{number} is not there; the latest is {prompt.latest_version}")
    return Found(version.content, explain)


def rendered(found: Found, reference: Reference, *, at: str) -> Rendered:
    """The messages with the values in them. InvalidFields naming each variable that is missing."""
    given = reference.variables
    templates = [parse(message.content) for message in found.content.messages]
    needed = names_of(templates)
    if missing := sorted(needed - given.keys()):
        raise InvalidFields(tuple(FieldError(f"{at}/variables/{name}", "is missing: the prompt needs it") for name in missing))
    try:
        texts = render(templates, given, limit=MAX_RENDERED)
    except TooLong as error:
        raise _wrong(f"{at}/variables", f"the prompt {error}") from error
    messages = tuple(Message(each.role, text) for each, text in zip(found.content.messages, texts, strict=True))
    unused = tuple(sorted(given.keys() - needed))
    return Rendered(messages, found.content.model, found.content.parameters, found.explain, unused)


def _decide(
    prompt: Prompt, variants: tuple[Variant, ...], reference: Reference, below: tuple[Layer, ...], at: str
) -> tuple[int, Explain]:
    """The version's number, and why it is that one."""
    label: str | None = reference.label or PRODUCTION
    subject = reference.subject or ""
    if reference.version is not None:
        number, label, reason = reference.version, None, f"version {reference.version} was asked for"
    elif reference.label == LATEST or (reference.label is None and not variants):
        number, reason = prompt.latest_version, f"{'' if reference.label else f'no label {PRODUCTION}, so '}the latest version"
        label = LATEST
    elif not variants:
        raise _wrong(f"{at}/label", f"{reference.label} is not set on the prompt {prompt.key}")
    else:
        number = chosen(variants, prompt.id, str(label), subject)
        reason = f"label {label} points at version {number}" + (" for this subject" if len(variants) > 1 else "")
    shared = variants if label not in (None, LATEST) else ()
    whose = f"{_WHOSE[prompt.layer]} prompt {prompt.key}: {reason}"
    split = subject if len(shared) > 1 else None
    return number, Explain(prompt.key, prompt.layer, prompt.id, number, label, shared, split, below, whose)


def _builtin(reference: Reference, at: str) -> Found:
    content = builtin_prompts().get(reference.key)
    if content is None:
        raise _wrong(f"{at}/key" if at == "" else at, f"there is no prompt {reference.key}")
    if reference.version is not None or reference.label not in (None, LATEST, PRODUCTION):
        raise _wrong(at, f"the prompt {reference.key} is built in: it has no versions and no labels")
    reason = f"{_WHOSE['builtin']} prompt {reference.key}: no other layer has one"
    return Found(content, Explain(reference.key, "builtin", None, None, None, (), None, (), reason))


def _wrong(pointer: str, detail: str) -> InvalidFields:
    return InvalidFields((FieldError(pointer, detail),))
