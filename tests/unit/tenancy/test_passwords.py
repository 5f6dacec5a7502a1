"""Passwords are hashed as settled, and an unknown user costs what a known one costs."""

import time
import unicodedata
from statistics import median

import pytest

from atrium.tenancy.passwords import hash_password, verify_password


async def test_the_hash_is_argon2id_of_the_settled_price() -> None:
    assert (await hash_password("secret123")).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize("password", ["secret123", "пароль-пароль", "🔑" * 256, " 8 spaces ", "a\tb\nc\rd e"])
async def test_a_password_opens_its_own_hash_only(password: str) -> None:
    stored = await hash_password(password)
    assert await verify_password(password, stored)
    assert not await verify_password(password + "x", stored)
    assert not await verify_password(password.upper() + "!", stored)


async def test_two_hashes_of_one_password_differ() -> None:
    assert await hash_password("secret123") != await hash_password("secret123")


async def test_composed_and_decomposed_are_the_same_password() -> None:
    stored = await hash_password(unicodedata.normalize("NFD", "motörhead"))
    assert await verify_password(unicodedata.normalize("NFC", "motörhead"), stored)


async def test_nobody_has_no_password() -> None:
    assert not await verify_password("secret123", None)
    assert not await verify_password("", None)


async def test_an_unknown_user_takes_as_long_as_a_wrong_password() -> None:
    stored = await hash_password("secret123")
    unknown, wrong = [], []
    for _ in range(9):
        unknown.append(await _seconds(None))
        wrong.append(await _seconds(stored))
    # Wide, for a busy machine; skipping the hash would be a thousandfold.
    assert median(wrong) / 2 < median(unknown) < median(wrong) * 2


async def _seconds(stored: str | None) -> float:
    started = time.perf_counter()
    await verify_password("another1", stored)
    return time.perf_counter() - started
