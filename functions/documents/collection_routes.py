"""Routes of collections: parse, call one verb, shape the reply."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response, status

from atrium.kernel.budget import Budget
from atrium.web.context import request_id
from atrium.web.pagination import Page, Paged
from atrium.web.problems import problem_responses
from atrium.web.routing import area_router
from functions.documents.collection_schemas import CollectionIn, CollectionPatch, CollectionReply
from functions.documents.dependencies import CollectionName, Collections, Reader, Writer

router = area_router(prefix="/collections", tags=["collections"])
# Below the 29 seconds that a reply may take.
_DELETION_SECONDS = 20.0


@router.get("")
async def list_collections(principal: Reader, collections: Collections, page: Paged) -> Page[CollectionReply]:
    """The tenant's collections, by name."""
    after = None if page.after is None else str(page.after[0])
    rows = await collections.list_page(principal, after=after, limit=page.rows)
    return page.page(rows, key=lambda collection: (collection.name,), shape=CollectionReply.of)


@router.post("", status_code=status.HTTP_201_CREATED, responses=problem_responses([409]))
async def create_collection(
    body: CollectionIn, request: Request, response: Response, principal: Writer, collections: Collections
) -> CollectionReply:
    """Make a collection. An upload or a file in the drop folder makes one too, with the defaults."""
    made = await collections.create(principal, body.new(), request_id=request_id(request))
    response.headers["Location"] = f"/api/v1/collections/{made.name}"
    return CollectionReply.of(made)


@router.get("/{name}")
async def get_collection(name: CollectionName, principal: Reader, collections: Collections) -> CollectionReply:
    """One collection."""
    return CollectionReply.of(await collections.get(principal, name))


@router.patch("/{name}", responses=problem_responses([409]))
async def update_collection(
    name: CollectionName, body: CollectionPatch, request: Request, principal: Writer, collections: Collections
) -> CollectionReply:
    """Change how its documents are cut and what new ones begin with."""
    return CollectionReply.of(await collections.change(principal, name, body.change(), request_id=request_id(request)))


@router.delete("/{name}", status_code=status.HTTP_204_NO_CONTENT, responses=problem_responses([409]))
async def delete_collection(
    name: CollectionName,
    request: Request,
    principal: Writer,
    collections: Collections,
    documents: Annotated[Literal["delete"] | None, Query(description="What becomes of its documents; absent: 409.")] = None,
) -> None:
    """Delete an empty collection, or with `?documents=delete` also everything in it: versions, chunks, vectors and files."""
    await collections.delete(
        principal, name, Budget(_DELETION_SECONDS), with_documents=documents == "delete", request_id=request_id(request)
    )
