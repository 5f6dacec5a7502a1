"""Reading a request's body: its type, its size while it streams, and its JSON, before anybody believes it."""

import json
from email.message import Message
from hashlib import sha256
from typing import Final

from fastapi import Request
from pydantic import JsonValue
from starlette.datastructures import FormData, UploadFile
from starlette.types import Message as AsgiMessage

from atrium.kernel.errors import MalformedRequest, PayloadTooLarge, UnsupportedMediaType
from atrium.kernel.settings import Settings
from atrium.web import strict_json

# Boundaries and part headers around the file.
FORM_OVERHEAD: Final = 64 * 1024
_MAX_FIELDS: Final = 32
_MAX_FILES: Final = 4
_READ: Final = 1024 * 1024
_CHARSETS: Final = frozenset({"", "utf-8", "utf8"})


class BodyLimit:
    """Marks a route whose bodies may be as long as another setting says: `dependencies=[body_limit("upload_limit")]`.

    `instead` is a sentence for who sent too much.
    """

    def __init__(self, setting: str, instead: str = "") -> None:
        self.setting = setting
        self.instead = instead

    def __call__(self) -> None:
        """Nothing to do at request time: the route class reads the mark."""


class StrictRequest(Request):
    """A request whose JSON is strict and whose body is counted. Endpoints that take `Request` get this one."""

    def __init__(self, request: Request, settings: Settings, limit: BodyLimit | None = None) -> None:
        self._settings = settings
        self._route_limit = limit or BodyLimit("body_limit")
        self._read = 0
        self._source = request.receive
        super().__init__(request.scope, self._counted, request._send)  # noqa: SLF001  Starlette keeps it under this name

    @property
    def is_form(self) -> bool:
        """Whether the body says it is `multipart/form-data`."""
        return self._media_type() == "multipart/form-data"

    @property
    def is_json(self) -> bool:
        """Whether the body says it is JSON in UTF-8."""
        kind, charset = self._content_type()
        return (kind == "application/json" or kind.endswith("+json")) and charset in _CHARSETS

    async def json(self) -> JsonValue:
        """The strict value of the body. Raises MalformedRequest, PayloadTooLarge, UnsupportedMediaType."""
        if not hasattr(self, "_value"):
            if not self.is_json:
                raise UnsupportedMediaType("The body must be application/json.")
            self._value = strict_json.parse(await self.body())
        return self._value

    async def body(self) -> bytes:
        """The bytes, up to the route's limit. Raises PayloadTooLarge."""
        self._check_declared_length()
        return await super().body()

    async def form(self, **_limits: object) -> FormData:  # type: ignore[override]  # ours are the limits
        """The multipart fields and files. Raises MalformedRequest, PayloadTooLarge, UnsupportedMediaType."""
        if self._form is None:
            if not self.is_form:
                raise UnsupportedMediaType("The body must be multipart/form-data.")
            if self._content_type()[1] not in _CHARSETS:
                raise UnsupportedMediaType("The form must be in UTF-8.")
            self._check_declared_length()
            await self._parse_form()
        assert self._form is not None
        _check_form(self._form)
        return self._form

    async def is_empty(self) -> bool:
        """Whether there is no body at all; a form is never empty."""
        return not self.is_form and not await self.body()

    async def fingerprint(self) -> bytes:
        """SHA-256 of what is asked: path, query and body; of a form its names, values and file hashes. Store it under a key."""
        digest = sha256(f"{self.scope['path']}?{self.scope['query_string'].decode('latin-1')}\n".encode())
        if self.is_form:
            for name, value in (await self.form()).multi_items():
                content = await _file_hash(value) if isinstance(value, UploadFile) else value
                digest.update(json.dumps([name, content]).encode())
        elif await self.body():
            digest.update(json.dumps(await self.json(), sort_keys=True).encode())
        return digest.digest()

    async def discard(self) -> None:
        """Close a form's temporary files."""
        if self._form is not None:
            await self._form.close()

    async def _parse_form(self) -> None:
        try:
            await self._get_form(max_files=_MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=self._settings.body_limit)
        except (ValueError, LookupError) as error:
            # The parser reads the header in its own way: of a charset named twice it takes the other one.
            raise MalformedRequest("The form cannot be read.") from error

    @property
    def _limit(self) -> int:
        if self.is_form:
            return self._settings.upload_limit + FORM_OVERHEAD
        limit: int = getattr(self._settings, self._route_limit.setting)
        return limit

    def _check_declared_length(self) -> None:
        declared = self.headers.get("content-length", "0")
        if declared.isascii() and declared.isdigit() and int(declared[:19]) > self._limit:
            raise self._too_large()

    async def _counted(self) -> AsgiMessage:
        message = await self._source()
        self._read += len(message.get("body", b""))
        if self._read > self._limit:
            raise self._too_large()
        return message

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The body may have {self._limit} bytes. {self._route_limit.instead}".rstrip())

    def _media_type(self) -> str:
        return self._content_type()[0]

    def _content_type(self) -> tuple[str, str]:
        told = self.headers.get("content-type", "")
        if told == "application/json":  # as nearly everybody writes it; the parser takes its time
            return told, ""
        message = Message()
        message["content-type"] = told
        return message.get_content_type(), (message.get_content_charset() or "").lower()


def _check_form(form: FormData) -> None:
    for name, value in form.multi_items():
        text = [name, value.filename or ""] if isinstance(value, UploadFile) else [name, value]
        if not all(strict_json.is_plain_text(item) for item in text):
            raise MalformedRequest("A form field holds NUL.")


async def _file_hash(file: UploadFile) -> str:
    digest = sha256(f"{file.filename}\n{file.content_type}\n".encode())
    while piece := await file.read(_READ):
        digest.update(piece)
    await file.seek(0)
    return digest.hexdigest()
