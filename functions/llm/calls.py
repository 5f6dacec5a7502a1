"""From a request's body to the gateway's call, with a stored prompt's part in it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from atrium.gateway.models import ChatCall, Purpose
from atrium.kernel.errors import FieldError, InvalidFields
from atrium.kernel.principal import Principal
from atrium.prompts.service import PromptService
from atrium.providers.base import ChatRequest, Message
from atrium.web.prompt_fields import reference_of
from functions.llm.schemas import ChatIn


async def call_of(body: ChatIn, principal: Principal, prompts: PromptService, purpose: Purpose, seconds: float) -> ChatCall:
    """The call. InvalidFields: no model is named anywhere, or the prompt is not there."""
    models = tuple(body.models or ([body.model] if body.model else []))
    if body.prompt is None:
        return _call(body, _required(models), (), {}, purpose, seconds)
    rendered = await prompts.resolve(principal, reference_of(body.prompt))
    models = models or ((rendered.model,) if rendered.model else ())
    call = _call(body, _required(models), rendered.messages, rendered.parameters, purpose, seconds)
    unused = tuple(f"The prompt has no place for the variable {name}." for name in rendered.unused)
    return replace(call, warnings=unused)


def _required(models: tuple[str, ...]) -> tuple[str, ...]:
    if not models:
        raise InvalidFields((FieldError("/model", "a model, or models, must be named"),))
    return models


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
