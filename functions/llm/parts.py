"""What a message is made of on the wire: text, pictures, PDFs, tool calls. Bytes are looked at, and never unfolded."""

import base64
import binascii
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from atrium.kernel.public_urls import check_public
from atrium.providers.base import File, Image, Message, Part, Text, ToolCall
from atrium.web.schemas import StrictModel

MOST_PARTS: Final = 200
_MAGIC: Final = {"image/png": b"\x89PNG", "image/jpeg": b"\xff\xd8\xff", "image/gif": b"GIF8", "image/webp": b"RIFF"}


def _decoded(data: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None


# The provider fetches it, also where that is a server of one's own.
Url = Annotated[str, StringConstraints(max_length=2048), AfterValidator(check_public)]
ToolName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
CallId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Content = Annotated[str, StringConstraints(min_length=1)]


class TextPartIn(StrictModel):
    """Text."""

    type: Literal["text"]
    text: str

    def part(self) -> Part:
        """The domain's form."""
        return Text(self.text)


class ImagePartIn(StrictModel):
    """A picture: at an https `url` that the provider fetches, or its bytes in base64 with their `media_type`."""

    type: Literal["image"]
    url: Url | None = None
    data: str | None = None
    media_type: Literal["image/png", "image/jpeg", "image/gif", "image/webp"] | None = None
    detail: Literal["auto", "low", "high"] = "auto"

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.url is None) == (self.data is None):
            raise ValueError("has either url or data")
        if (self.data is None) != (self.media_type is None):
            raise ValueError("data and media_type go together")
        if self.media_type and not _decoded(self.data or "").startswith(_MAGIC[self.media_type]):
            raise ValueError(f"data is no {self.media_type}")
        return self

    def part(self) -> Part:
        """The domain's form."""
        if self.url is not None:
            return Image(url=self.url, detail=self.detail)
        return Image(data=_decoded(self.data or ""), media_type=self.media_type or "", detail=self.detail)


class FilePartIn(StrictModel):
    """A PDF in base64, which the model reads itself."""

    type: Literal["file"]
    data: str
    media_type: Literal["application/pdf"] = "application/pdf"
    name: Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f/\\]+$")] = "document.pdf"

    @model_validator(mode="after")
    def _is_pdf(self) -> Self:
        if b"%PDF-" not in _decoded(self.data)[:1024]:
            raise ValueError("data is no PDF")
        return self

    def part(self) -> Part:
        """The domain's form."""
        return File(_decoded(self.data), self.media_type, self.name)


PartIn = Annotated[TextPartIn | ImagePartIn | FilePartIn, Field(discriminator="type")]


class ToolCallIn(StrictModel):
    """A call that the model asked for earlier; `arguments` is the JSON text that it wrote."""

    id: CallId
    name: ToolName
    arguments: str

    def call(self) -> ToolCall:
        """The domain's form."""
        return ToolCall(self.id, self.name, self.arguments)


class SystemMessageIn(StrictModel):
    """What holds for the whole chat."""

    role: Literal["system"]
    content: Content

    def message(self) -> Message:
        """The domain's form."""
        return Message("system", self.content)


class UserMessageIn(StrictModel):
    """What is asked."""

    role: Literal["user"]
    content: Content | Annotated[list[PartIn], Field(min_length=1, max_length=MOST_PARTS)]

    def message(self) -> Message:
        """The domain's form."""
        content = self.content if isinstance(self.content, str) else tuple(each.part() for each in self.content)
        return Message("user", content)


class AssistantMessageIn(StrictModel):
    """What was answered before; with `tool_calls` its `content` may be empty."""

    role: Literal["assistant"]
    content: str | None = None
    tool_calls: Annotated[list[ToolCallIn], Field(default_factory=list, max_length=128)]

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.content and not self.tool_calls:
            raise ValueError("has content, or tool_calls")
        return self

    def message(self) -> Message:
        """The domain's form."""
        return Message("assistant", self.content or "", tuple(each.call() for each in self.tool_calls))


class ToolMessageIn(StrictModel):
    """What a tool gave for the call `tool_call_id`."""

    role: Literal["tool"]
    tool_call_id: CallId
    content: str

    def message(self) -> Message:
        """The domain's form."""
        return Message("tool", self.content, tool_call_id=self.tool_call_id)


MessageIn = Annotated[SystemMessageIn | UserMessageIn | AssistantMessageIn | ToolMessageIn, Field(discriminator="role")]
