"""What is mailed: one line where one line goes, the token to copy, and what to do with it."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.principal import Role
from atrium.tenancy import letters
from atrium.tenancy.models import Member, MemberStatus

UNTIL = datetime(2026, 11, 27, 10, 30, tzinfo=UTC)
BOB = Member(UUID(int=1), "bob@example.com", Role.VIEWER, MemberStatus.INVITED, UNTIL, UNTIL)


def test_an_invitation_says_who_invites_as_what_and_until_when() -> None:
    subject, text = letters.invitation("Acme", "the-token", BOB, "https://api.example.com")
    assert subject == "Invitation to Acme"
    assert "the-token" in text.splitlines()
    for said in ("Acme", "viewer", "2026-11-27 10:30 UTC", "https://api.example.com/api/v1/users/accept"):
        assert said in text


def test_a_reset_says_where_to_send_the_token() -> None:
    subject, text = letters.password_reset("the-token", "https://api.example.com")
    assert subject == "Reset your password"
    assert "the-token" in text.splitlines()
    assert "https://api.example.com/api/v1/auth/password/reset" in text


@pytest.mark.parametrize("name", ["Acme\r\nBcc: all@example.com", "Acme\u2028\u202eevil", "\x00Acme\t Inc"])
def test_a_name_adds_no_line(name: str) -> None:
    plain = letters.invitation("Acme", "t", BOB, "https://x")[1]
    subject, text = letters.invitation(name, "t", BOB, "https://x")
    assert subject.isprintable()
    assert len(text.splitlines()) == len(plain.splitlines())


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Win at https://evil.example/now today", "Win at today"), ("WWW.evil.example", "an organisation"),
     ("Ask bob@evil.example", "Ask"), ("evil.example/now", "evil. example/now"),
     ("ｈｔｔｐ：／／evil。example", "an organisation"),
     ("Acme Inc.", "Acme Inc.")],
)  # fmt: skip
def test_a_name_carries_no_address_to_follow(name: str, shown: str) -> None:
    subject, text = letters.invitation(name, "t", BOB, "https://x")
    assert subject == f"Invitation to {shown}"
    assert "evil.example" not in text


@given(st.text(min_size=1, max_size=200))
def test_a_subject_is_short_and_printable(name: str) -> None:
    subject, _ = letters.invitation(name, "t", BOB, "https://x")
    assert subject.isprintable()
    assert len(subject) <= 100
