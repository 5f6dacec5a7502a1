"""One e-mail address has one spelling here."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.tenancy.emails import normalise_email


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Ada@Example.COM", "ada@example.com"),
        ("Straße@Müller.de", "straße@müller.de"),
        ("ｆｕｌｌ@ｗｉｄｅ.com", "full@wide.com"),
        ("first.last+tag@sub.example.co.uk", "first.last+tag@sub.example.co.uk"),
        ("me@localhost", "me@localhost"),
    ],
)
def test_spellings_of_one_address_become_one(text: str, normal: str) -> None:
    assert normalise_email(text) == normal


@pytest.mark.parametrize(
    "text",
    ["", "ada", "@", "ada@", "@example.com", "a b@example.com", "a@b@c.com", "a@-b.com", "a@b-.com", "a@b..com", "a@.com",
     "a@b.com.", "a\x00@b.com", "a@b.com\n", "\u202ea@b.com", "a" * 65 + "@b.com", "a@" + "b." * 130 + "com", "a@b_c!.com",
     *(f"a{character}b@c.com" for character in '<>,;:"()[]\\ \x07\x7f')],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="e-mail"):
        normalise_email(text)


@given(st.text(max_size=20), st.from_regex(r"[a-z]{1,9}\.[a-z]{2,3}", fullmatch=True))
def test_the_normal_form_is_its_own_and_lower_case(local: str, domain: str) -> None:
    try:
        normal = normalise_email(f"{local}@{domain}")
    except ValueError:
        return
    assert normalise_email(normal) == normal == normal.lower()
