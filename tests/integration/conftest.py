"""What all of these tests share."""

from typing import Final

import pytest

from atrium.tenancy import passwords

_MEMORY_KIB: Final = 8


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """argon2id as it is, for a thousandth of its price: a thousand organisations are registered in a run.

    What a password really costs is tested in tests/unit/tenancy/test_passwords.py.
    """
    monkeypatch.setattr(passwords, "_ITERATIONS", 1)
    monkeypatch.setattr(passwords, "_MEMORY_KIB", _MEMORY_KIB)
    monkeypatch.setattr(passwords, "_NOBODY", passwords._NOBODY.replace("m=19456,t=2", f"m={_MEMORY_KIB},t=1"))
