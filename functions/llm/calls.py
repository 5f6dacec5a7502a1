"""From a request's body to the gateway's call, with a stored prompt's part in it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from atrium.gateway.models import ChatCall, Purpose
from atrium.kernel.principal import Principal
from atrium.prompts.models import PromptType, Rendered
from atrium.providers.base import ChatRequest, Message
from atrium.web.prompt_fields import reference_of
from functions.llm.dependencies import Stored
from functions.llm.schemas import ChatIn


async def call_of(body: ChatIn, principal: Principal, stored: Stored, purpose: Purpose, seconds: float) -> ChatCall:
    """The call: what the body says goes before its prompt, that before the tenant's default for chats, asked where neither
    names a model. InvalidFields: the prompt is not there.
    """
    models = tuple(body.models or ([body.model] if body.model else []))
    before: tuple[Message, ...] = ()
    given: Mapping[str, Any] = {}
    unused: tuple[str, ...] = ()
    left_out: str | None = None
    if body.prompt is not None:
        rendered = await stored.prompts.resolve(principal, reference_of(body.prompt))
        before, given, unused = rendered.messages, rendered.parameters, rendered.unused
        if not models and rendered.model:
            kept = await _is_kept(principal, rendered, stored)
            models, left_out = ((rendered.model,), None) if kept else ((), rendered.model)
    if not models:
        default = await stored.defaults.get(principal, PromptType.CHAT)
        models, given = (default.model,), {**default.parameters, **given}
    warnings = tuple(f"The prompt has no place for the variable {name}." for name in unused)
    if left_out:
        warnings += (f"The prompt's model {left_out} is not yours to ask: {models[0]} answers.",)
    return replace(_call(body, models, before, given, purpose, seconds), warnings=warnings)


async def _is_kept(principal: Principal, rendered: Rendered, stored: Stored) -> bool:
    """Whether the prompt's model answers. One that the tenant did not write itself must not leave it without any."""
    assert rendered.model is not None
    return rendered.explain.layer == "tenant" or await stored.models.can_ask(principal, rendered.model)


def _call(
    body: ChatIn,
    models: tuple[str, ...],
    before: tuple[Message, ...],
    given: Mapping[str, Any],
    purpose: Purpose,
    timeout: float,
) -> ChatCall:
    """`before` and `given` are the prompt's; what the body says goes before."""
    temperature = given.get("temperature") if body.temperature is None else body.temperature
    request = ChatRequest(
        model="",
        messages=(*before, *(each.message() for each in body.messages)),
        temperature=temperature,
        top_p=given.get("top_p") if body.top_p is None else body.top_p,
        stop=tuple(body.stop or given.get("stop") or ()),
        seed=given.get("seed") if body.seed is None else body.seed,
        reasoning_effort=body.reasoning_effort or given.get("reasoning_effort"),
        tools=tuple(each.tool() for each in body.tools),
        tool_choice=body.choice(),
        parallel_tool_calls=body.parallel_tool_calls,
        response_format=body.response_format.schema_of() if body.response_format else None,
    )
    most = body.max_tokens or given.get("max_tokens")
    return ChatCall(models, request, purpose, most, body.cache.ttl if body.cache else 0, timeout)
