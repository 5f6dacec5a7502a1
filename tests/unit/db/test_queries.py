import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

import atrium.events
from atrium.db.queries import QueryFileError, load_queries, parse_queries

NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
WORDS = st.text(string.ascii_letters + "_.,()=<>'%", min_size=1).filter(str.strip).map(lambda text: text.replace("%", "%%"))
STATEMENTS = st.lists(WORDS.map(lambda text: f"SELECT {text.strip()}"), min_size=1, max_size=3).map("\n".join)


def test_a_file_becomes_attributes() -> None:
    queries = parse_queries(
        "-- What these are.\n\n-- name: find\n-- Finds it.\nSELECT *\nFROM t -- all\nWHERE id = %(id)s AND a LIKE '50%%';\n"
        "\n-- name: drop_it\n-- Drops it.\n-- Twice explained.\nDELETE FROM t;\n"
    )
    assert queries.find == "SELECT *\nFROM t -- all\nWHERE id = %(id)s AND a LIKE '50%%'"
    assert queries.drop_it == "DELETE FROM t"
    assert dir(queries) == ["drop_it", "find"]


def test_the_file_lies_beside_the_package() -> None:
    assert load_queries(atrium.events.__name__).insert_event.startswith("INSERT INTO atrium.outbox")


def test_an_unknown_name_tells_the_known_ones() -> None:
    queries = parse_queries("-- name: find\n-- Finds it.\nSELECT 1")
    with pytest.raises(AttributeError, match="'found'; there are find"):
        _ = queries.found


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("SELECT 1;\n-- name: find\n-- Finds it.\nSELECT 1", "before the first"),
        ("-- name: find\n-- A.\nSELECT 1\n-- name: find\n-- B.\nSELECT 2", "twice"),
        ("-- name: Find it\n-- A.\nSELECT 1", "is not a name"),
        ("-- name: \n-- A.\nSELECT 1", "is not a name"),
        ("-- name: find\nSELECT 1", "what it is for"),
        ("-- name: find\n", "what it is for"),
        ("-- name: find\n-- Finds it.\n", "no statement"),
        ("-- name: find\n-- Finds it.\n;\n", "no statement"),
        ("-- name: find\n-- Finds it.\nSELECT '50%'", "lone %"),
        ("-- name: find\n-- Finds it.\nSELECT %s", "lone %"),
        ("-- name: find\n-- Finds it.\nSELECT 5 %%% 2", "lone %"),
        ("-- name: find\n-- Finds it.\nSELECT %(Id)s", "lone %"),
    ],
)
def test_what_does_not_fit_is_refused(content: str, reason: str) -> None:
    with pytest.raises(QueryFileError, match=reason):
        parse_queries(content)


@given(st.dictionaries(NAMES, STATEMENTS, min_size=1, max_size=5))
def test_what_is_written_is_read(statements: dict[str, str]) -> None:
    content = "".join(f"-- name: {name}\n-- For a test.\n{statement};\n\n" for name, statement in statements.items())
    queries = parse_queries(content)
    assert {name: getattr(queries, name) for name in statements} == statements
    assert dir(queries) == sorted(statements)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(content: str) -> None:
    try:
        queries = parse_queries(content)
    except QueryFileError:
        return
    assert all(getattr(queries, name) for name in dir(queries))
