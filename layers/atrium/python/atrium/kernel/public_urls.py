"""Addresses that a caller names and somebody else fetches: they must be of the public internet."""

import re
from typing import Final
from urllib.parse import urlsplit

_HOST: Final = re.compile(r"(?=.{4,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}", re.IGNORECASE)
_INSIDE: Final = (".local", ".internal", ".localhost", ".localdomain", ".home.arpa")
# What parsers of URLs read differently.
_STRANGE: Final = re.compile(r"[\x00-\x20\\\x7f]")


def check_public(url: str) -> str:
    """The URL. ValueError says what it must be: https, at a name that is not of an inner network, no number and no port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must be an https URL") from None
    if parts.scheme != "https" or not parts.hostname or _STRANGE.search(url):
        raise ValueError("must be an https URL")
    if "@" in parts.netloc or port not in {None, 443} or not _HOST.fullmatch(parts.hostname) or parts.hostname.endswith(_INSIDE):
        raise ValueError("must name a public host, without a port, a user or a password")
    return url


def is_data(url: str) -> bool:
    """Whether it is a data: URL, which nobody fetches."""
    return url[:5].lower() == "data:"
