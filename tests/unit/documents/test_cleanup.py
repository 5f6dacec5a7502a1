from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.cleanup import doomed


def test_the_last_known_write_goes_with_all_before_it_and_the_unseen_one_stays() -> None:
    assert doomed(["v4", "v3", "v2", "v1"], {"v3", "v1"}, ()) == ["v1", "v2", "v3"]


def test_what_a_living_document_serves_stays() -> None:
    assert doomed(["v3", "v2", "v1"], {"v3"}, {"v1"}) == ["v2", "v3"]


def test_where_nothing_known_is_left_nothing_goes() -> None:
    assert doomed(["v9"], {"v3"}, ()) == []
    assert doomed([], {"v3"}, ()) == []


@given(
    stored=st.lists(st.integers(0, 30).map(str), unique=True),
    known=st.sets(st.integers(0, 30).map(str)),
    kept=st.sets(st.integers(0, 30).map(str)),
    cut=st.integers(0, 10),
)
def test_a_removal_that_was_cut_off_ends_the_same(stored: list[str], known: set[str], kept: set[str], cut: int) -> None:
    whole = doomed(stored, known, kept)
    left = [version for version in stored if version not in whole[:cut]]
    rest = doomed(left, known, kept)
    assert whole[:cut] + rest == whole
    assert not kept & set(whole)
