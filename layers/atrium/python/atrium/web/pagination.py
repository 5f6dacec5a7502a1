"""Lists by cursor: `?cursor=&limit=` in, `{"data": [...], "next_cursor": ...}` out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request
from pydantic import ConfigDict

from atrium.ports.keyring import Key
from atrium.web import cursors
from atrium.web.schemas import Reply

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 100
_MAX_CURSOR: Final = 2048

CursorParam = Annotated[str | None, Query(max_length=_MAX_CURSOR, description="`next_cursor` of the page before.")]
LimitParam = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many at most.")]


class Page[T](Reply):
    """One page. `next_cursor` is null on the last."""

    model_config = ConfigDict(frozen=True)

    data: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PageQuery:
    """What a list route asks its service for, and how the answer becomes a page.

    `after` is the sort key of the last row seen, None at the start. Ask for `rows` rows, which is one more than the
    page shows: it tells whether another page follows.
    """

    after: tuple[Any, ...] | None
    limit: int
    _context: str
    _keys: tuple[Key, ...]

    @property
    def rows(self) -> int:
        """How many rows to fetch."""
        return self.limit + 1

    def page[R, T](self, rows: Sequence[R], *, key: Callable[[R], tuple[Any, ...]], shape: Callable[[R], T]) -> Page[T]:
        """The page of `rows`; `key` is a row's sort key (values of str, int, datetime, UUID), `shape` its wire form."""
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        return Page[T](
            data=[shape(row) for row in shown],
            next_cursor=cursors.encode(self._keys, self._context, key(shown[-1])) if more else None,
        )


async def page_query(request: Request, cursor: CursorParam = None, limit: LimitParam = DEFAULT_LIMIT) -> PageQuery:
    """Read `?cursor=&limit=`. A cursor is good for the path and the tenant that it was made for; else 400."""
    principal = getattr(request.state, "principal", None)
    context = f"{request.scope['path']} {principal.tenant_id if principal else ''}"
    keys = (await request.app.state.runtime.keyring.get()).cursor
    after = cursors.decode(keys, context, cursor) if cursor is not None else None
    return PageQuery(after, limit, context, keys)


Paged = Annotated[PageQuery, Depends(page_query)]
"""`page: Paged` in a list route."""
