"""The two mails that Atrium sends: subject and text of each. They carry a token and say what to do with it."""

import re
import unicodedata
from typing import Final

from atrium.tenancy.models import Member

_MAX_NAME: Final = 60
# What mail programs make a link of: an address with a scheme or `www`, an e-mail; and a dot before what may be a domain's end.
_ADDRESS: Final = re.compile(r"\S*(?:://|@|\bwww\d*[.。｡])\S*", re.IGNORECASE)
_INNER_DOT: Final = re.compile(r"(?<=\w)[.。｡](?=\w\w)")
_NAMELESS: Final = "an organisation"


def invitation(organisation: str, token: str, member: Member, public_url: str) -> tuple[str, str]:
    """To somebody who is invited: subject and text."""
    name = _one_line(organisation)
    until = f"{member.expires_at:%Y-%m-%d %H:%M} UTC" if member.expires_at else ""
    text = (
        f"You are invited to join {name} as {member.role.value}.\n\n"
        f"Your invitation token, good for one use until {until}:\n\n{token}\n\n"
        f"Send it with a password of your choice to {public_url}/api/v1/users/accept,\n"
        "or paste it where the application that you were invited to asks for it.\n\n"
        "If you did not expect this, ignore it: nothing happens without the token.\n"
    )
    return f"Invitation to {name}", text


def password_reset(token: str, public_url: str) -> tuple[str, str]:
    """To somebody who forgot their password: subject and text."""
    text = (
        "Somebody, we hope you, asked to reset your password.\n\n"
        f"Your reset token, good for one use within one hour:\n\n{token}\n\n"
        f"Send it with a new password to {public_url}/api/v1/auth/password/reset,\n"
        "or paste it where your application asks for it. It ends all sessions.\n\n"
        "If it was not you, ignore this: your password stays as it is.\n"
    )
    return "Reset your password", text


def _one_line(name: str) -> str:
    """An organisation's name in a place that takes one short line, with nothing in it to follow.

    Its admin chose it, whoever that is, and the mail comes from our address: it must not carry theirs.
    """
    visible = "".join(character if character.isprintable() else " " for character in unicodedata.normalize("NFKC", name))
    line = " ".join(_INNER_DOT.sub(". ", _ADDRESS.sub(" ", visible)).split()) or _NAMELESS
    return line if len(line) <= _MAX_NAME else line[: _MAX_NAME - 1] + "…"
