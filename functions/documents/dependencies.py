"""What the routes work with."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Path, Query, Request

from atrium.documents.collections import CollectionService
from atrium.documents.models import DocumentFilter, Status
from atrium.documents.reprocessing import ReprocessingService
from atrium.documents.service import DocumentService
from atrium.documents.uploading import UploadService
from atrium.kernel.errors import FieldError, InvalidFields, MalformedRequest
from atrium.kernel.principal import Principal, PrincipalKind
from atrium.tenancy.permissions import Permission
from atrium.web import strict_json
from atrium.web.auth import require
from atrium.web.schemas import PlainText, ResourceId


async def document_service(request: Request) -> DocumentService:
    """The documents of the process's runtime."""
    return DocumentService(request.app.state.runtime)


async def upload_service(request: Request) -> UploadService:
    """The uploads of the process's runtime."""
    return UploadService(request.app.state.runtime)


async def reprocessing_service(request: Request) -> ReprocessingService:
    """The reprocessing of the process's runtime."""
    return ReprocessingService(request.app.state.runtime)


async def collection_service(request: Request) -> CollectionService:
    """The collections of the process's runtime."""
    return CollectionService(request.app.state.runtime)


async def document_filter(
    status: Annotated[Status | None, Query(description="Of the latest version.")] = None,
    name: Annotated[PlainText | None, Query(max_length=1024, description="The whole name.")] = None,
    collection: Annotated[str | None, Query(pattern=r"^[a-z0-9._-]{1,64}$")] = None,
    user_id: Annotated[UUID | None, Query(description="Whose documents.")] = None,
    metadata: Annotated[
        PlainText | None, Query(max_length=4096, description="A JSON object that the metadata must contain.")
    ] = None,
) -> DocumentFilter:
    """What a list is narrowed to."""
    owner = None if user_id is None else f"{PrincipalKind.USER.value}:{user_id}"
    return DocumentFilter(status, name, collection, owner, None if metadata is None else _json_object(metadata))


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = strict_json.parse(text.encode())
    except MalformedRequest as error:
        raise InvalidFields((FieldError("/query/metadata", error.detail),)) from error
    if not isinstance(value, dict):
        raise InvalidFields((FieldError("/query/metadata", "must be a JSON object"),))
    return value


DocumentId = Annotated[ResourceId, Path(alias="id")]
CollectionName = Annotated[str, Path(alias="name", pattern=r"^[a-z0-9._-]{1,64}$")]
Documents = Annotated[DocumentService, Depends(document_service)]
Uploads = Annotated[UploadService, Depends(upload_service)]
Reprocessing = Annotated[ReprocessingService, Depends(reprocessing_service)]
Collections = Annotated[CollectionService, Depends(collection_service)]
Reader = Annotated[Principal, require(Permission.DOCUMENTS_READ)]
Writer = Annotated[Principal, require(Permission.DOCUMENTS_WRITE)]
Filter = Annotated[DocumentFilter, Depends(document_filter)]
