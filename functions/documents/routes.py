"""Routes of documents: parse, call one verb, shape the reply."""

from typing import cast

from fastapi import Request, Response, status

from atrium.web.bodies import StrictRequest
from atrium.web.context import request_id
from atrium.web.idempotency import Idempotent
from atrium.web.pagination import Page, Paged
from atrium.web.routing import area_router, body_limit
from functions.documents.dependencies import DocumentId, Documents, Filter, Reader, Uploads, Writer
from functions.documents.intake import LARGER, REQUEST_BODY, read_upload
from functions.documents.schemas import ChunkReply, DocumentReply, DownloadReply, StatusReply

router = area_router(prefix="/documents", tags=["documents"])


@router.post(
    "",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra={"requestBody": REQUEST_BODY},
    dependencies=[body_limit("upload_limit", LARGER)],
)
async def create_document(
    request: Request, response: Response, principal: Writer, uploads: Uploads, claim: Idempotent
) -> DocumentReply:
    """Take a file or a text; it is searchable once its status is `ready`.

    The same name and collection again is a new version of the document, which serves its last ready version until then;
    the same content again changes nothing.
    """
    strict = cast("StrictRequest", request)
    upload = await read_upload(strict, principal, request.app.state.runtime.settings.upload_limit)
    document = await uploads.upload(principal, upload, claim.resource_id, request_id=request_id(request))
    response.headers["Location"] = f"/api/v1/documents/{document.id}"
    return DocumentReply.of(document)


@router.get("")
async def list_documents(principal: Reader, documents: Documents, page: Paged, where: Filter) -> Page[DocumentReply]:
    """The tenant's documents, the newest first."""
    rows = await documents.list_page(principal, where, after=page.after, limit=page.rows)
    return page.page(rows, key=lambda document: (document.created_at, document.id), shape=DocumentReply.of)


@router.get("/{id}")
async def get_document(document_id: DocumentId, principal: Reader, documents: Documents) -> DocumentReply:
    """One document."""
    return DocumentReply.of(await documents.get(principal, document_id))


@router.delete("/{id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_document(document_id: DocumentId, request: Request, principal: Writer, documents: Documents) -> None:
    """Remove the document: its versions, chunks, vectors and files. Safe to repeat."""
    await documents.delete(principal, document_id, request_id=request_id(request))


@router.get("/{id}/status")
async def get_status(document_id: DocumentId, principal: Reader, documents: Documents) -> StatusReply:
    """How far the latest version has come."""
    return StatusReply.of(await documents.get(principal, document_id))


@router.get("/{id}/chunks")
async def list_chunks(document_id: DocumentId, principal: Reader, documents: Documents, page: Paged) -> Page[ChunkReply]:
    """The passages that search serves, in the order of the text."""
    rows = await documents.chunks(principal, document_id, after=page.after, limit=page.rows)
    return page.page(rows, key=lambda chunk: (chunk.ordinal,), shape=ChunkReply.of)


@router.get("/{id}/download")
async def get_download(document_id: DocumentId, principal: Reader, documents: Documents) -> DownloadReply:
    """A URL that gives the file as an attachment, for five minutes."""
    return DownloadReply.of(await documents.download(principal, document_id))
