"""The wire contracts of prompts and models by what they are for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from atrium.prompts.by_type import LlmDefault
from atrium.prompts.models import Found, PromptType, Version
from atrium.web.schemas import Reply, StrictModel, Timestamp
from functions.prompts.schemas import CreatedBy, ExplainOut, LayerName, MessageOut, Model, ParametersIn

if TYPE_CHECKING:
    from atrium.gateway.tenant_models import ProviderInfo


class TypePromptOut(Reply):
    """What answers for a type: its messages as templates, and where they come from."""

    type: PromptType
    layer: LayerName
    version: int | None
    messages: list[MessageOut]
    model: str | None
    parameters: dict[str, Any]
    explain: ExplainOut

    @classmethod
    def of(cls, kind: PromptType, found: Found) -> Self:
        """The wire form."""
        content = found.content
        return cls(
            type=kind,
            layer=found.explain.layer,
            version=found.explain.version,
            messages=[MessageOut.model_validate(message) for message in content.messages],
            model=content.model,
            parameters=dict(content.parameters),
            explain=ExplainOut.of(found.explain),
        )


class TypeVersionOut(Reply):
    """One of the versions of the prompt that answers."""

    version: int
    note: str
    created_by: CreatedBy
    created_at: Timestamp
    active: bool


class TypePromptsOut(Reply):
    """What answers for a type now, and up to 20 versions of its prompt, the newest first; none of what is built in."""

    type: PromptType
    prompt_id: str | None = Field(description="For `/prompts/{id}`; null of what is built in.")
    active: TypePromptOut
    versions: list[TypeVersionOut]

    @classmethod
    def with_versions(cls, kind: PromptType, found: Found, versions: Sequence[Version]) -> Self:
        """The wire form."""
        explain = found.explain
        shown = [
            TypeVersionOut(
                version=each.version,
                note=each.content.note,
                created_by=each.created_by,
                created_at=each.created_at,
                active=each.version == explain.version,
            )
            for each in versions
        ]
        prompt_id = None if explain.prompt_id is None else str(explain.prompt_id)
        return cls(type=kind, prompt_id=prompt_id, active=TypePromptOut.of(kind, found), versions=shown)


class LlmDefaultIn(StrictModel):
    """The model of a type and how it is called."""

    model: Model | None = Field(default=None, description="`provider/name`; null: your organisation's, or the deployment's.")
    parameters: ParametersIn | None = None


class LlmDefaultOut(Reply):
    """The model that answers for a type where neither the request nor its prompt says one; `chosen_by` tenant or deployment."""

    type: PromptType
    model: str
    parameters: dict[str, Any]
    chosen_by: str

    @classmethod
    def of(cls, default: LlmDefault) -> Self:
        """The wire form."""
        return cls.model_validate(default)


class ProviderOut(Reply):
    """A provider and the chat models of it that can be chosen.

    Not `configured`: it has no key here; `setting` is what the operator gives it by. `own_key`: it is called with your
    organisation's own. `any_model`: it takes names that are not listed too.
    """

    name: str
    label: str
    configured: bool
    own_key: bool
    setting: str | None
    any_model: bool
    models: list[str]


class ProvidersOut(Reply):
    """The providers that this deployment knows."""

    data: list[ProviderOut]

    @classmethod
    def of(cls, providers: Sequence["ProviderInfo"], models: Sequence[str]) -> Self:
        """The wire form; `models` as `provider/name`."""
        return cls(
            data=[
                ProviderOut(
                    name=each.name,
                    label=each.label,
                    configured=each.configured,
                    own_key=each.own_key,
                    setting=each.setting or None,
                    any_model=each.open,
                    models=[model for model in models if model.startswith(f"{each.name}/")],
                )
                for each in providers
            ]
        )
