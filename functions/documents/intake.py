"""`POST /documents` takes a file in a form, or text in JSON; this makes one upload of either."""

from typing import Any, Final
from uuid import UUID

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from atrium.documents.models import Upload
from atrium.documents.naming import file_name, text_type, upload_type
from atrium.kernel.errors import FieldError, Forbidden, InvalidFields, MalformedRequest, PayloadTooLarge
from atrium.kernel.principal import Principal, PrincipalKind
from atrium.tenancy.members import is_member
from atrium.web import strict_json
from atrium.web.bodies import StrictRequest
from functions.documents.schemas import NewFile, NewText

LARGER: Final = "Larger files go through POST /api/v1/documents/uploads, or into the drop folder."

REQUEST_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {"schema": NewText.model_json_schema()},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "additionalProperties": False,
                "properties": {
                    "file": {
                        "type": "string",
                        "format": "binary",
                        "description": "PDF, DOCX, HTML, TXT, Markdown, CSV, PNG, JPEG or TIFF.",
                    },
                    "name": {"type": "string", "description": "Instead of the file's own name."},
                    "metadata": {"type": "string", "contentMediaType": "application/json", "description": "A JSON object."},
                    "collection": {"type": "string", "pattern": "^[a-z0-9._-]{1,64}$", "default": "default"},
                    "user_id": {"type": "string", "format": "uuid"},
                    "password": {"type": "string", "format": "password", "writeOnly": True, "minLength": 1, "maxLength": 256},
                },
            },
        },
    },
}


async def read_upload(request: StrictRequest, principal: Principal, limit: int) -> Upload:
    """What was sent, checked. `PayloadTooLarge` over `limit` bytes of file."""
    return await (_from_form(request, principal, limit) if request.is_form else _from_json(request, principal, limit))


async def _from_json(request: StrictRequest, principal: Principal, limit: int) -> Upload:
    new = _validated(NewText, await request.json())
    data = new.content.encode()
    if len(data) > limit:
        raise PayloadTooLarge(f"A file may have {limit} bytes here. {LARGER}")
    return _upload(new, await owner_of(request, principal, new.user_id), data, text_type(new.name))


async def _from_form(request: StrictRequest, principal: Principal, limit: int) -> Upload:
    form = await request.form()
    file = _one_file(form)
    fields: dict[str, Any] = {name: value for name, value in form.items() if name != "file"}
    if isinstance(fields.get("metadata"), str):
        fields["metadata"] = _parsed(fields["metadata"])
    new = _validated(NewFile, {"name": file_name(file.filename or ""), **fields})
    data = await file.read()
    if len(data) > limit:
        raise PayloadTooLarge(f"A file may have {limit} bytes here. {LARGER}")
    if not data:
        raise _wrong("/file", "is empty")
    content_type = upload_type(data, file.filename or "", file.content_type or "")
    return _upload(new, await owner_of(request, principal, new.user_id), data, content_type)


def _one_file(form: FormData) -> UploadFile:
    files = form.getlist("file")
    if len(form.multi_items()) != len(form):
        raise _wrong("", "a field is repeated")
    if len(files) != 1 or not isinstance(files[0], UploadFile):
        raise _wrong("/file", "must be there, as a file")
    return files[0]


def _parsed(metadata: str) -> object:
    try:
        return strict_json.parse(metadata.encode())
    except MalformedRequest as error:
        raise _wrong("/metadata", error.detail) from error


def _validated[Model: BaseModel](model: type[Model], value: object) -> Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # As FastAPI reports a body that it reads by itself.
        raise RequestValidationError([{**entry, "loc": ("body", *entry["loc"])} for entry in error.errors()]) from error


def _upload(new: NewText | NewFile, owner: str, data: bytes, content_type: str) -> Upload:
    password = new.password if isinstance(new, NewFile) else None
    return Upload(new.name, data, content_type, new.collection, new.metadata, owner, password)


async def owner_of(request: Request, principal: Principal, user_id: UUID | None) -> str:
    """On whose behalf: a service's key speaks for its tenant's users, a user for nobody else."""
    if user_id is None:
        return principal.subject
    if principal.kind is PrincipalKind.USER:
        if user_id != principal.id:
            raise Forbidden("A user may only send documents of their own.")
    elif not await is_member(request.app.state.runtime.database, principal, user_id):
        raise _wrong("/user_id", "is no user of this organisation")
    return f"{PrincipalKind.USER.value}:{user_id}"


def _wrong(pointer: str, detail: str) -> InvalidFields:
    return InvalidFields((FieldError(pointer, detail),))
