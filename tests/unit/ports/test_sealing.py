"""Sealed secrets open for their own row, under any key that is still in the ring, and for nothing else."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import Unavailable
from atrium.ports.keyring import Key
from atrium.ports.sealing import Sealer

TENANT = uuid4()
OLD, NEW = Key("old", bytes(32)), Key("new", bytes(range(32)))


@given(plain=st.binary(max_size=300), row=st.text(max_size=40))
def test_what_is_sealed_opens(plain: bytes, row: str) -> None:
    sealed = Sealer((OLD,)).seal(plain, tenant_id=TENANT, table="t", id=row)
    assert Sealer((NEW, OLD)).open(sealed, tenant_id=TENANT, table="t", id=row) == plain


def test_the_same_secret_is_sealed_anew_each_time_under_the_newest_key() -> None:
    sealer = Sealer((NEW, OLD))
    first, second = (sealer.seal(b"secret", tenant_id=TENANT, table="t", id="1") for _ in range(2))
    assert first != second
    assert b"secret" not in first
    with pytest.raises(Unavailable):
        Sealer((OLD,)).open(first, tenant_id=TENANT, table="t", id="1")


@pytest.mark.parametrize("other", [{"tenant_id": uuid4()}, {"table": "u"}, {"id": "2"}])
def test_in_another_row_it_does_not_open(other: dict[str, object]) -> None:
    where = {"tenant_id": TENANT, "table": "t", "id": "1"}
    sealed = Sealer((OLD,)).seal(b"secret", **where)  # type: ignore[arg-type]
    with pytest.raises(Unavailable):
        Sealer((OLD,)).open(sealed, **where | other)  # type: ignore[arg-type]


@given(damage=st.integers(min_value=0, max_value=10_000), cut=st.booleans())
def test_damaged_it_does_not_open(damage: int, cut: bool) -> None:
    sealed = bytearray(Sealer((OLD,)).seal(b"secret", tenant_id=TENANT, table="t", id="1"))
    position = damage % len(sealed)
    if cut:
        del sealed[position:]
    else:
        sealed[position] ^= 1
    with pytest.raises(Unavailable):
        Sealer((OLD,)).open(bytes(sealed), tenant_id=TENANT, table="t", id="1")
