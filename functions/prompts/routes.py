"""Routes of prompts: parse, call one verb, shape the reply. With the operator's `X-API-Key` they are about the platform's."""

from typing import Annotated

from fastapi import Query, Request, Response, status

from atrium.web.context import request_id
from atrium.web.idempotency import Idempotent
from atrium.web.pagination import Page, Paged
from atrium.web.problems import problem_responses
from atrium.web.routing import area_router
from functions.prompts.dependencies import Filter, LabelPath, PromptId, Prompts, Reader, VersionPage, Writer
from functions.prompts.schemas import (
    LabelIn,
    LabelOut,
    NewPromptIn,
    NewVersionIn,
    PromptDetailOut,
    PromptOut,
    PromptVersionOut,
    RenderedOut,
    RenderIn,
    VersionOut,
)

router = area_router(prefix="/prompts", tags=["prompts"])


@router.post("", status_code=status.HTTP_201_CREATED, responses=problem_responses([409]))
async def create_prompt(
    body: NewPromptIn, request: Request, response: Response, author: Writer, prompts: Prompts, claim: Idempotent
) -> PromptVersionOut:
    """Make a prompt, with its version 1. Your own goes before the platform's of the same key."""
    made, version = await prompts.create(author, body.new(), prompt_id=claim.resource_id, request_id=request_id(request))
    response.headers["Location"] = f"/api/v1/prompts/{made.id}"
    return PromptVersionOut.with_version(made, version)


@router.get("")
async def list_prompts(author: Reader, prompts: Prompts, chosen: Filter, page: Paged) -> Page[PromptOut]:
    """Your prompts and the platform's, by key, your own of a key first."""
    after = None if page.after is None else (str(page.after[0]), str(page.after[1]))
    rows = await prompts.list_page(author, chosen, after=after, limit=page.rows)
    return page.page(rows, key=lambda prompt: (prompt.key, prompt.layer), shape=PromptOut.of)


@router.get("/{id}")
async def get_prompt(prompt_id: PromptId, author: Reader, prompts: Prompts, page: VersionPage) -> PromptDetailOut:
    """One prompt, with its versions and labels."""
    before = None if page.after is None else int(page.after[0])
    prompt, versions, labels = await prompts.get(author, prompt_id, before=before, limit=page.rows)
    shown = page.page(versions, key=lambda version: (version.version,), shape=VersionOut.of)
    return PromptDetailOut.with_versions(prompt, shown.data, labels, shown.next_cursor)


@router.put("/{id}", responses=problem_responses([409]))
async def update_prompt(
    prompt_id: PromptId,
    body: NewVersionIn,
    request: Request,
    author: Writer,
    prompts: Prompts,
) -> PromptVersionOut:
    """A new version. What `production` points at stays what it is; without that label the latest version is used."""
    prompt, version = await prompts.add_version(
        author, prompt_id, body.content(), description=body.description, request_id=request_id(request)
    )
    return PromptVersionOut.with_version(prompt, version)


@router.delete("/{id}", status_code=status.HTTP_204_NO_CONTENT)
async def delete_prompt(prompt_id: PromptId, request: Request, author: Writer, prompts: Prompts) -> None:
    """Delete a prompt with its versions and labels. The platform's of the same key is used again."""
    await prompts.delete(author, prompt_id, request_id=request_id(request))


@router.post("/{id}/render")
async def render_prompt(
    prompt_id: PromptId,
    body: RenderIn,
    author: Reader,
    prompts: Prompts,
    explain: Annotated[bool, Query(description="Tell which layer and version answered, and why.")] = False,
) -> RenderedOut:
    """The messages with values in them, as whoever uses the key gets them: your own prompt answers for the platform's too,
    unless a `version` is asked for.
    """
    return RenderedOut.of(await prompts.render(author, prompt_id, body.reference()), explained=explain)


@router.put("/{id}/labels/{label}", responses=problem_responses([409]))
async def set_label(
    prompt_id: PromptId,
    label: LabelPath,
    body: LabelIn,
    request: Request,
    author: Writer,
    prompts: Prompts,
) -> LabelOut:
    """Let a label point at a version, or share several out by weight. `latest` is always the latest version."""
    return LabelOut.of(await prompts.point(author, prompt_id, label, body.variants(), request_id=request_id(request)))


@router.get("/{id}/labels/{label}/history")
async def label_history(
    prompt_id: PromptId,
    label: LabelPath,
    author: Reader,
    prompts: Prompts,
    page: Paged,
) -> Page[LabelOut]:
    """Where a label has pointed, the newest first."""
    before = None if page.after is None else int(page.after[0])
    rows = await prompts.label_history(author, prompt_id, label, before=before, limit=page.rows)
    return page.page(rows, key=lambda each: (each.revision,), shape=LabelOut.of)
