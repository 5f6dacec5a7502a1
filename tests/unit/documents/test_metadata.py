import pytest

from atrium.documents.metadata import flaw, merged
from atrium.kernel.errors import InvalidFields


def test_a_list_that_filters_would_read_for_long_is_refused() -> None:
    assert flaw({"n": list(range(100))}) == ""
    assert flaw({"n": list(range(101))}) == "has a list of more than 100 elements"
    with pytest.raises(InvalidFields):
        merged({"a": 1}, {"n": list(range(101))})
