"""The shapes that wire contracts are made of."""

import re
from typing import Annotated, Final
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from atrium.kernel.clock import rfc3339
from atrium.web.strict_json import is_plain_text

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class StrictModel(BaseModel):
    """A request body: unknown fields are refused, and a string is a string, not a number that looks like one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Reply(BaseModel):
    """A response body; every field is always there, null where there is nothing to say."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


def _plain(text: str) -> str:
    if not is_plain_text(text):
        raise ValueError("must not hold NUL or lone surrogates")
    return text


def _canonical_uuid(value: object) -> object:
    # The parser below also reads braces, urn: and bare digits; a path has one spelling of an id.
    if isinstance(value, str):
        if not _UUID.fullmatch(value):
            raise ValueError("must be a UUID")
        return UUID(value)
    return value


PlainText = Annotated[str, AfterValidator(_plain)]
"""Text from outside JSON (query, form fields), where NUL can still arrive."""

ResourceId = Annotated[UUID, Path(), BeforeValidator(_canonical_uuid)]
"""`{id}` in a path: a UUID in its usual form; anything else is 422 naming `/path/id`."""

JsonId = Annotated[UUID, BeforeValidator(_canonical_uuid)]
"""A UUID in a JSON body of a strict model."""

Timestamp = Annotated[AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""RFC 3339 in UTC with milliseconds; in a request any offset, but there must be one."""
