"""What a prompt is, and what is asked of one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, Self
from uuid import UUID

from atrium.kernel.principal import Operator, Principal
from atrium.prompts.templates import Value
from atrium.providers.base import Message

KEY: Final = r"^[a-z0-9][a-z0-9._-]{0,99}$"
LABEL: Final = r"^[a-z][a-z0-9._-]{0,63}$"
REFERENCE: Final = r"^[a-z0-9][a-z0-9._-]{0,99}(@([a-z][a-z0-9._-]{0,63}|[1-9][0-9]{0,8}))?$"
PRODUCTION: Final = "production"
LATEST: Final = "latest"
MAX_TEMPLATE_BYTES: Final = 100_000  # of all messages of a version
MAX_RENDERED: Final = 1_000_000  # characters of all messages
MAX_PROMPTS: Final = 1000  # of a tenant
MAX_VERSIONS: Final = 1000  # of a prompt
MAX_LABELS: Final = 50  # of a prompt
MAX_REVISIONS: Final = 10_000  # of a label
MAX_VALUE: Final = 200_000  # characters

Author = Principal | Operator
"""Who writes: a tenant's principal its own prompts, the operator the platform's."""

Role = Literal["system", "user", "assistant"]
Layer = Literal["tenant", "platform", "builtin"]


class PromptType(StrEnum):
    """What a prompt is for. The prompt whose key is the type's name is the one that the feature uses by itself."""

    CHAT = "chat"
    RAG_ANSWER = "rag_answer"
    SUMMARY = "summary"
    PROJECT_DRAFT = "project_draft"
    EXTRACTION = "extraction"
    COPILOT = "copilot"
    REFINE = "refine"


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One message of a prompt; `content` is a template."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class Content:
    """What a version says. `model` and `parameters` (names of `ChatRequest`) hold where a request has none of its own."""

    messages: tuple[PromptMessage, ...]
    model: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row of `find_version`, or of the data file."""
        messages = tuple(PromptMessage(each["role"], each["content"]) for each in row["messages"])
        return cls(messages, row.get("model"), row.get("parameters") or {}, row.get("note", ""))


@dataclass(frozen=True, slots=True)
class Version:
    """An immutable version; they count from 1 without a gap."""

    version: int
    content: Content
    created_by: str
    created_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From a row of `find_version` or `list_versions`."""
        return cls(row["version"], Content.of(row), row["created_by"], row["created_at"])


@dataclass(frozen=True, slots=True)
class NewPrompt:
    """A prompt to make, with its first version."""

    key: str
    content: Content
    type: PromptType | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt of the tenant, or of the platform."""

    id: UUID
    layer: Layer
    key: str
    type: PromptType | None
    description: str
    latest_version: int
    created_by: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From a row of `find_prompt`, `find_by_key` or `list_prompts`."""
        kind = None if row["type"] is None else PromptType(row["type"])
        return cls(**{name: row[name] for name in cls.__slots__} | {"type": kind})


@dataclass(frozen=True, slots=True)
class PromptFilter:
    """What a list is narrowed to; None does not narrow."""

    type: PromptType | None = None
    key: str | None = None
    layer: Layer | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """A version that a label points at, with its share among others."""

    version: int
    weight: float = 1


@dataclass(frozen=True, slots=True)
class Label:
    """Where a label points since `created_at`; each change is a new revision."""

    label: str
    revision: int
    variants: tuple[Variant, ...]
    created_by: str
    created_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """From a row of `list_labels` or `label_history`."""
        return cls(row["label"], row["revision"], variants_of(row["variants"]), row["created_by"], row["created_at"])


def variants_of(rows: list[dict[str, Any]]) -> tuple[Variant, ...]:
    """A label's variants as they are stored."""
    return tuple(Variant(**row) for row in rows)


@dataclass(frozen=True, slots=True)
class Reference:
    """A prompt by its key: a `version` of it, or what a `label` points at, else `production`, else the latest version.

    `subject` gets always the same of a label's several versions; the principal itself where it is None.
    """

    key: str
    version: int | None = None
    label: str | None = None
    variables: Mapping[str, Value] = field(default_factory=dict)
    subject: str | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """`key`, `key@label` or `key@3`. ValueError for anything else."""
        if not re.fullmatch(REFERENCE, text):
            raise ValueError("must be a prompt's key, key@label or key@version")
        key, _, wanted = text.partition("@")
        return cls(key, version=int(wanted)) if wanted.isdigit() else cls(key, label=wanted or None)


@dataclass(frozen=True, slots=True)
class Explain:
    """Why a prompt reads as it does. `variants` are those that the label shares out; `passed_over` the layers below."""

    key: str
    layer: Layer
    prompt_id: UUID | None
    version: int | None
    label: str | None
    variants: tuple[Variant, ...]
    subject: str | None
    passed_over: tuple[Layer, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A version that was found for a reference, unrendered."""

    content: Content
    explain: Explain


@dataclass(frozen=True, slots=True)
class Rendered:
    """Messages for a model; `model` and `parameters` where the version has some. `unused`: variables that it has no place for."""

    messages: tuple[Message, ...]
    model: str | None
    parameters: Mapping[str, Any]
    explain: Explain
    unused: tuple[str, ...] = ()

    @property
    def system(self) -> str:
        """The text of its system messages."""
        return "\n\n".join(message.text for message in self.messages if message.role == "system")
