"""E-mail addresses as identities: one spelling for each."""

import re
import unicodedata
from typing import Final

_MAX_LENGTH: Final = 254
_MAX_LOCAL: Final = 64
_LABEL: Final = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
# RFC 5321's quoted local parts are refused: nobody has one, and their characters mean something to mail programs.
_LOCAL: Final = r"""[^\s@<>,;:"()\[\]\\]+"""
_ADDRESS: Final = re.compile(rf"(?P<local>{_LOCAL})@{_LABEL}(?:\.{_LABEL})*")


def normalise_email(text: str) -> str:
    """The address in NFKC and in lower case. ValueError when it cannot be one.

    Not case-folded: that would make `strasse@` of `straße@`, which is another's mailbox.
    """
    address = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    match = _ADDRESS.fullmatch(address)
    if match is None or len(address) > _MAX_LENGTH or len(match["local"]) > _MAX_LOCAL or not _printable(address):
        raise ValueError("must be an e-mail address")
    return address


def _printable(address: str) -> bool:
    # A few letters fold to an upper case form, which the database's own idea of lower case would refuse.
    return address.isprintable() and address.lower() == address
