"""`prompt` in a request body: a stored prompt by its key, the same wherever one can be named."""

from typing import Annotated

from pydantic import Field, StringConstraints

from atrium.prompts.models import KEY, LABEL, MAX_VALUE, REFERENCE, Reference
from atrium.prompts.templates import NAME
from atrium.web.schemas import StrictModel

VariableName = Annotated[str, StringConstraints(pattern=rf"^{NAME}$")]
VariableValue = Annotated[str, StringConstraints(max_length=MAX_VALUE)] | int | float | bool
Variables = Annotated[
    dict[VariableName, VariableValue], Field(max_length=100, description="Values by the names in the template.")
]
Version = Annotated[int, Field(ge=1, le=999_999_999)]
LabelName = Annotated[str, StringConstraints(pattern=LABEL)]
Subject = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(description="Gets always the same of a label's several versions; absent: whoever asks."),
]


class WhichIn(StrictModel):
    """Which version, and what goes into it. Without `version` and `label`: what `production` points at, else the latest."""

    version: Version | None = None
    label: LabelName | None = Field(default=None, description="`latest` is the latest version. Of no effect beside `version`.")
    variables: Variables = Field(default_factory=dict)
    subject: Subject | None = None

    def reference(self, key: str = "") -> Reference:
        """For the service, under a key."""
        return Reference(key, self.version, None if self.version else self.label, self.variables, self.subject)


class PromptIn(WhichIn):
    """A stored prompt, with values for its variables."""

    key: Annotated[str, StringConstraints(pattern=KEY)]


PromptField = Annotated[
    Annotated[str, StringConstraints(pattern=REFERENCE)] | PromptIn,
    Field(description="A stored prompt: `key`, `key@label`, `key@3`, or an object, which can give values for its variables."),
]


def reference_of(prompt: str | PromptIn) -> Reference:
    """What a `PromptField` means."""
    return Reference.parse(prompt) if isinstance(prompt, str) else prompt.reference(prompt.key)
