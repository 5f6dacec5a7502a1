"""An API key is recognised, or refused, by its text alone."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.ports.keyring import Key
from atrium.tenancy.keys import PREFIX, key_mac, new_key, parse_key

KEY = new_key()
PEPPERS = (Key("a", b"a" * 32), Key("b", b"b" * 32))


def test_a_new_key_has_the_documented_form() -> None:
    prefix, live, key_id, secret, checksum = KEY.text.split("_")
    assert f"{prefix}_{live}_" == PREFIX
    assert (key_id, len(secret), len(checksum)) == (KEY.key_id, 43, 6)
    assert KEY.last_four == secret[-4:]


def test_a_new_key_is_read_back_and_none_is_like_another() -> None:
    assert parse_key(KEY.text) == KEY
    assert len({new_key().text for _ in range(50)}) == 50


def test_the_checksum_is_the_crc32_of_what_is_before_it() -> None:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    body, _, checksum = KEY.text.rpartition("_")
    value = 0
    for digit in checksum:
        value = value * 62 + alphabet.index(digit)
    assert value == crc32(body.encode())


@given(st.integers(0, len(KEY.text) - 1), st.characters())
def test_one_wrong_character_is_noticed(at: int, other: str) -> None:
    changed = KEY.text[:at] + other + KEY.text[at + 1 :]
    assert (parse_key(changed) is None) == (changed != KEY.text)


@given(st.text(max_size=120) | st.from_regex(rf"{PREFIX}[0-9A-Za-z_]{{0,80}}", fullmatch=True))
def test_other_texts_are_no_keys(text: str) -> None:
    assert parse_key(text) is None


@pytest.mark.parametrize("around", [" {}", "{} ", "{}\n", "\x00{}", "{}x", "x{}"])
def test_nothing_may_stand_around_it(around: str) -> None:
    assert parse_key(around.format(KEY.text)) is None


def test_the_mac_depends_on_the_pepper_and_on_every_character() -> None:
    assert len(key_mac(PEPPERS[0], KEY)) == 32
    assert key_mac(PEPPERS[0], KEY) == key_mac(PEPPERS[0], KEY)
    assert key_mac(PEPPERS[0], KEY) != key_mac(PEPPERS[1], KEY)
    assert key_mac(PEPPERS[0], KEY) != key_mac(PEPPERS[0], new_key())


def test_the_secret_is_not_in_the_repr() -> None:
    assert KEY.text not in repr(KEY)
