"""Routes of documents: parse, call one verb, shape the reply."""

from typing import Annotated, cast

from fastapi import Body, Query, Request, Response, status

from atrium.web.bodies import StrictRequest
from atrium.web.context import request_id
from atrium.web.idempotency import Idempotent
from atrium.web.pagination import Page, Paged
from atrium.web.problems import problem_responses
from atrium.web.routing import area_router, body_limit
from functions.documents.dependencies import DocumentId, Documents, Filter, Reader, Reprocessing, Uploads, Writer
from functions.documents.intake import LARGER, REQUEST_BODY, owner_of, read_upload
from functions.documents.schemas import (
    ChunkReply,
    DocumentDetail,
    DocumentPatch,
    DocumentReply,
    DownloadReply,
    NewUpload,
    ReprocessIn,
    StatusReply,
    UploadReply,
)

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


@router.post("/uploads", status_code=status.HTTP_201_CREATED)
async def create_upload(
    body: NewUpload, request: Request, response: Response, principal: Writer, uploads: Uploads, claim: Idempotent
) -> UploadReply:
    """Begin a document, or its next version, whose file goes straight to the bucket: for files of up to 100 MB.

    Send the file with the form within the hour; its arrival starts the processing. The form's first use counts.
    """
    planned = body.planned(await owner_of(request, principal, body.user_id))
    upload = await uploads.plan(principal, planned, claim.resource_id, request_id=request_id(request))
    response.headers["Location"] = f"/api/v1/documents/{upload.document.id}"
    return UploadReply.of(upload)


@router.get("")
async def list_documents(principal: Reader, documents: Documents, page: Paged, where: Filter) -> Page[DocumentReply]:
    """The tenant's documents, the newest first."""
    rows = await documents.list_page(principal, where, after=page.after, limit=page.rows)
    return page.page(rows, key=lambda document: (document.created_at, document.id), shape=DocumentReply.of)


@router.get("/{id}")
async def get_document(
    document_id: DocumentId,
    principal: Reader,
    documents: Documents,
    versions: Annotated[bool, Query(description="Whether its history comes along.")] = False,
) -> DocumentDetail:
    """One document, as its latest version stands."""
    detail = DocumentDetail.of(await documents.get(principal, document_id))
    return detail.with_versions(await documents.history(principal, document_id)) if versions else detail


@router.patch("/{id}", responses=problem_responses([409]))
async def update_document(
    document_id: DocumentId, body: DocumentPatch, request: Request, principal: Writer, documents: Documents
) -> DocumentReply:
    """Rename the document, describe it, move it to a collection of the same embedding space. Filters see it at once."""
    changed = await documents.change(principal, document_id, body.change(), request_id=request_id(request))
    return DocumentReply.of(changed)


@router.post("/{id}/reprocess", status_code=status.HTTP_202_ACCEPTED, responses=problem_responses([409]))
async def reprocess_document(
    document_id: DocumentId,
    request: Request,
    principal: Writer,
    reprocessing: Reprocessing,
    body: Annotated[ReprocessIn | None, Body()] = None,
) -> DocumentReply:
    """Process the file again: a failed version gets another attempt, a ready one becomes the next, and serves until then."""
    how = (body or ReprocessIn()).how()
    return DocumentReply.of(await reprocessing.reprocess(principal, document_id, how, request_id=request_id(request)))


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
async def get_download(
    document_id: DocumentId,
    principal: Reader,
    documents: Documents,
    version: Annotated[int | None, Query(ge=1, le=999_999_999, description="Else the one that search serves.")] = None,
) -> DownloadReply:
    """A URL that gives the file as an attachment, for five minutes."""
    return DownloadReply.of(await documents.download(principal, document_id, version))
