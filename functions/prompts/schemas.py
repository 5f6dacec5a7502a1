"""The wire contracts of prompts."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from atrium.prompts.models import (
    KEY,
    MAX_TEMPLATE_BYTES,
    Content,
    Explain,
    Label,
    NewPrompt,
    Prompt,
    PromptMessage,
    PromptType,
    Rendered,
    Variant,
)
from atrium.prompts.models import Version as StoredVersion
from atrium.web.prompt_fields import Version, WhichIn
from atrium.web.schemas import Reply, StrictModel, Timestamp

Role = Literal["system", "user", "assistant"]
Template = Annotated[
    str,
    StringConstraints(min_length=1, max_length=MAX_TEMPLATE_BYTES),
    Field(description="Text with `{{name}}` where a value goes; `\\{{` for the braces themselves."),
]
Model = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Remark = Annotated[str, StringConstraints(max_length=2000)]
Stop = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Kind = Annotated[PromptType, Field(strict=False)]
LayerName = Literal["tenant", "platform", "builtin"]


def _shown(author: object) -> object:
    # Which key the operator has is nobody else's business.
    return "operator" if str(author).startswith("operator:") else author


CreatedBy = Annotated[str, BeforeValidator(_shown), Field(description="`user:<id>`, `api_key:<id>` or `operator`.")]
"""Who wrote something."""


class MessageIn(StrictModel):
    """One message; its content is a template."""

    role: Role
    content: Template


class ParametersIn(StrictModel):
    """What a model is called with; what is absent or null is left open."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    stop: Annotated[list[Stop], Field(max_length=4)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None

    def given(self) -> dict[str, Any]:
        """Those that are given."""
        return self.model_dump(exclude_none=True)


class VersionIn(StrictModel):
    """A version of a prompt: 1 to 50 messages, of 100 kB together."""

    messages: Annotated[list[MessageIn], Field(min_length=1, max_length=50)]
    model: Model | None = Field(
        default=None, description="`provider/name` that it was written for; used where a request has none."
    )
    parameters: ParametersIn | None = None
    note: Remark = Field(default="", description="Why this version.")

    def content(self) -> Content:
        """For the service."""
        messages = tuple(PromptMessage(message.role, message.content) for message in self.messages)
        return Content(messages, self.model, self.parameters.given() if self.parameters else {}, self.note)


class NewPromptIn(VersionIn):
    """A prompt to make, with its first version. A key that is a type's name makes the prompt that this feature uses by itself."""

    key: Annotated[str, StringConstraints(pattern=KEY)]
    type: Kind | None = None
    description: Remark = ""

    def new(self) -> NewPrompt:
        """For the service."""
        return NewPrompt(self.key, self.content(), self.type, self.description)


class NewVersionIn(VersionIn):
    """The next version of a prompt."""

    description: Remark | None = Field(default=None, description="Of the prompt; absent or null: stays.")


class VariantIn(StrictModel):
    """A version with its share."""

    version: Version
    weight: Annotated[float, Field(ge=0, le=1_000_000, description="Shares are in proportion; 0 is nobody's.")]


class LabelIn(StrictModel):
    """Where a label points: one `version`, or several `versions` by weight, each subject always at the same one."""

    version: Version | None = None
    versions: Annotated[list[VariantIn], Field(min_length=1, max_length=10)] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.version is None) == (self.versions is None):
            raise ValueError("give either version or versions")
        return self

    def variants(self) -> tuple[Variant, ...]:
        """For the service."""
        if self.versions is None:
            return (Variant(self.version or 0),)
        return tuple(Variant(each.version, each.weight) for each in self.versions)


class RenderIn(WhichIn):
    """Which version is rendered, with what, for whom."""


class MessageOut(Reply):
    """One message."""

    role: Role
    content: str


class VersionOut(Reply):
    """An immutable version; `content` of its messages are templates."""

    version: int
    messages: list[MessageOut]
    model: str | None
    parameters: dict[str, Any]
    note: str
    created_by: CreatedBy
    created_at: Timestamp

    @classmethod
    def of(cls, version: StoredVersion) -> Self:
        """The wire form."""
        content = version.content
        return cls(
            version=version.version,
            messages=[MessageOut.model_validate(message) for message in content.messages],
            model=content.model,
            parameters=dict(content.parameters),
            note=content.note,
            created_by=version.created_by,
            created_at=version.created_at,
        )


class VariantOut(Reply):
    """A version with its share."""

    version: int
    weight: float


class LabelOut(Reply):
    """Where a label points since `created_at`. Every change is a new revision."""

    label: str
    revision: int
    versions: list[VariantOut]
    created_by: CreatedBy
    created_at: Timestamp

    @classmethod
    def of(cls, label: Label) -> Self:
        """The wire form."""
        versions = [VariantOut.model_validate(variant) for variant in label.variants]
        return cls(
            label=label.label,
            revision=label.revision,
            versions=versions,
            created_by=label.created_by,
            created_at=label.created_at,
        )


class PromptOut(Reply):
    """A prompt: your own (`tenant`), or the platform's, which your own of the same key goes before."""

    id: UUID
    key: str
    layer: LayerName
    type: PromptType | None
    description: str
    latest_version: int
    created_by: CreatedBy
    created_at: Timestamp
    updated_at: Timestamp

    @classmethod
    def of(cls, prompt: Prompt) -> Self:
        """The wire form."""
        return cls.model_validate(prompt)


class PromptVersionOut(PromptOut):
    """A prompt with the version that was just written."""

    version: int
    messages: list[MessageOut]
    model: str | None
    parameters: dict[str, Any]
    note: str

    @classmethod
    def with_version(cls, prompt: Prompt, version: StoredVersion) -> Self:
        """The wire form."""
        written = VersionOut.of(version).model_dump(exclude={"created_by", "created_at"})
        return cls(**PromptOut.of(prompt).model_dump(), **written)


class PromptDetailOut(PromptOut):
    """A prompt with its versions, the newest first; `next_cursor` leads to older ones. `labels`: where each points now."""

    versions: list[VersionOut]
    labels: list[LabelOut]
    next_cursor: str | None

    @classmethod
    def with_versions(
        cls, prompt: Prompt, versions: Sequence[VersionOut], labels: Sequence[Label], next_cursor: str | None = None
    ) -> Self:
        """The wire form."""
        return cls(
            **PromptOut.of(prompt).model_dump(),
            versions=list(versions),
            labels=[LabelOut.of(label) for label in labels],
            next_cursor=next_cursor,
        )


class ExplainOut(Reply):
    """Which layer answered, with which version, and why. `versions`: what the label shares out by weight, `subject` for whom;
    `passed_over`: layers below that have the key too.
    """

    key: str
    layer: LayerName
    prompt_id: UUID | None
    version: int | None
    label: str | None
    versions: list[VariantOut]
    subject: str | None
    passed_over: list[LayerName]
    reason: str

    @classmethod
    def of(cls, explain: Explain) -> Self:
        """The wire form."""
        fields = {name: getattr(explain, name) for name in Explain.__slots__ if name not in ("variants", "passed_over")}
        versions = [VariantOut.model_validate(variant) for variant in explain.variants]
        return cls(**fields, versions=versions, passed_over=list(explain.passed_over))


class RenderedOut(Reply):
    """The messages with the values in them. `warnings` name variables that no message has a place for."""

    key: str
    version: int | None
    messages: list[MessageOut]
    model: str | None
    parameters: dict[str, Any]
    warnings: list[str]
    explain: ExplainOut | None

    @classmethod
    def of(cls, rendered: Rendered, *, explained: bool) -> Self:
        """The wire form."""
        return cls(
            key=rendered.explain.key,
            version=rendered.explain.version,
            messages=[MessageOut(role=_role(message.role), content=message.text) for message in rendered.messages],
            model=rendered.model,
            parameters=dict(rendered.parameters),
            warnings=[f"The prompt has no place for the variable {name}." for name in rendered.unused],
            explain=ExplainOut.of(rendered.explain) if explained else None,
        )


def _role(role: str) -> Role:
    return "system" if role == "system" else "assistant" if role == "assistant" else "user"
