"""What holds for one answer before anything is looked for: who writes it, by which prompt, how."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from atrium.answers.models import AnswerRequest
from atrium.db import Database
from atrium.kernel.errors import FieldError, InvalidFields
from atrium.kernel.principal import Principal
from atrium.prompts.by_type import LlmDefaults
from atrium.prompts.models import Explain, PromptType, Reference, Rendered
from atrium.prompts.service import PromptService

_log: Final = logging.getLogger(__name__)
Usable = Callable[[Principal, str], Awaitable[bool]]
"""Whether a tenant can ask a model of that name."""
_MAX_TOKENS: Final = 1024
# What a prompt may say of a model's call beside the bound of its answer, in `ChatRequest`'s names.
_OPTIONS: Final = frozenset({"temperature", "top_p", "seed", "reasoning_effort"})


async def any_model(_: Principal, __: str) -> bool:
    """A `Usable` for who knows no tenants' models."""
    return True


@dataclass(frozen=True, slots=True)
class Settled:
    """The model, `provider/name`; the prompt's instructions; the answer's bound in tokens; other fields of a `ChatRequest`."""

    model: str
    instructions: str
    max_tokens: int
    options: Mapping[str, Any]
    prompt: Explain


class Settling:
    """Reads a tenant's prompts and choices. `deployment_model` answers where nobody chose.

    `usable` is asked of models that a prompt of the platform's names.
    """

    def __init__(self, database: Database, deployment_model: str, usable: Usable = any_model) -> None:
        self._usable = usable
        self._database = database
        self._prompts = PromptService(database)
        self._defaults = LlmDefaults(database, deployment_model)

    async def settle(self, principal: Principal, request: AnswerRequest) -> Settled:
        """The request goes before its prompt, that before the tenant's choice for answers, that before the deployment's.

        InvalidFields for an empty question, and for a prompt that is not there or is none for answers.
        """
        if not request.question.strip():
            raise InvalidFields((FieldError("/question", "must not be empty"),))
        reference = request.prompt or Reference(PromptType.RAG_ANSWER)
        async with self._database.transaction(principal) as tx:
            prompt = await self._prompts.resolve_in(tx, reference)
            default = await self._defaults.get_in(tx, PromptType.RAG_ANSWER)
        _check(prompt)
        chosen = {**default.parameters, **prompt.parameters}
        options = {name: value for name, value in chosen.items() if name in _OPTIONS}
        if "stop" in chosen:
            options["stop"] = tuple(chosen["stop"])
        model = request.model or await self._model_of(principal, prompt) or default.model
        bound = request.max_tokens or chosen.get("max_tokens") or _MAX_TOKENS
        return Settled(model, prompt.system, bound, options, prompt.explain)

    async def _model_of(self, principal: Principal, prompt: Rendered) -> str | None:
        """The prompt's model. One that the tenant did not write itself must not take its answers away: it can change nothing."""
        if prompt.model is None or prompt.explain.layer == "tenant" or await self._usable(principal, prompt.model):
            return prompt.model
        extra = {"tenant_id": str(principal.tenant_id), "prompt": prompt.explain.key, "model": prompt.model}
        _log.warning("a prompt's model is left out: the tenant cannot ask it", extra=extra)
        return None


def _check(prompt: Rendered) -> None:
    """What the user's turn is made of, passages and question, is nobody's to write but ours."""
    if any(message.role != "system" for message in prompt.messages):
        detail = "must have system messages alone to answer from documents: passages and question follow by themselves"
        raise InvalidFields((FieldError("/prompt", detail),))
