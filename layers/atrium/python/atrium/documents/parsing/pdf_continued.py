"""Tables of a whole PDF as text: what goes on over the foot of a page has its header there too."""

from collections.abc import Mapping, Sequence

from atrium.documents.parsing.pdf_layout import Layout, PageLines, TableLines
from atrium.documents.parsing.pdf_tables import Table

_CELL_SEPARATOR = " | "
_SAME_PLACE = 6.0  # points
_SAME_COLUMN = 20.0  # points: numbers that stand to the right begin where they are as long as they are


def table_lines(pages: Sequence[PageLines], tables: Mapping[int, list[Table]], layout: Layout) -> dict[int, list[TableLines]]:
    """Page (from 1) → its tables. One that goes on from the page before begins with that one's header."""
    found: dict[int, list[TableLines]] = {}
    before: tuple[int, Table, list[str]] | None = None
    for number, on_page in sorted(tables.items()):
        for table in on_page:
            header = table.rows[0]
            rows = table.rows
            if before and _goes_on(pages, layout, before[:2], (number, table)):
                header = before[2]
                rows = rows if rows[0] == header else [header, *rows]
            text = "\n".join(map(_CELL_SEPARATOR.join, rows))
            found.setdefault(number, []).append((table.first, table.end, text))
            before = (number, table, header)
    return found


def _goes_on(pages: Sequence[PageLines], layout: Layout, above: tuple[int, Table], below: tuple[int, Table]) -> bool:
    """Whether a table is the rest of the one before it: the same columns, and nothing but furniture between them."""
    (page, first), (next_page, second) = above, below
    if next_page != page + 1 or len(first.columns) != len(second.columns):
        return False
    places = list(zip(first.columns, second.columns, strict=True))
    if abs(places[0][0] - places[0][1]) > _SAME_PLACE or any(abs(one - other) > _SAME_COLUMN for one, other in places):
        return False
    rest = range(first.end, len(pages[page - 1]))
    return layout.is_furniture(page, rest) and layout.is_furniture(next_page, range(second.first))
