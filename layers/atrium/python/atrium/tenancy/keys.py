"""API keys as text: `atr_live_<id>_<43 base62>_<6 base62 crc32>`. The operator's key has the same form."""

import hmac
import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final
from zlib import crc32

from atrium.ports.keyring import Key

PREFIX: Final = "atr_live_"
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ID_LENGTH: Final = 16
_SECRET_LENGTH: Final = 43  # 256 bits
_CHECKSUM_LENGTH: Final = 6
_KEY: Final = re.compile(
    rf"{PREFIX}(?P<id>[0-9A-Za-z]{{{_ID_LENGTH}}})_[0-9A-Za-z]{{{_SECRET_LENGTH}}}_(?P<checksum>[0-9A-Za-z]{{{_CHECKSUM_LENGTH}}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class ApiKeyText:
    """A well-formed key. `key_id` is public and finds the row; `text` is the secret."""

    key_id: str
    text: str = field(repr=False)

    @property
    def last_four(self) -> str:
        """The last four characters of the secret part, by which people tell keys apart."""
        return self.text.rsplit("_", 1)[0][-4:]


def new_key(key_id: str = "") -> ApiKeyText:
    """A fresh random key; with `key_id` a new secret of the key that has this public part."""
    key_id = key_id or _random(_ID_LENGTH)
    body = f"{PREFIX}{key_id}_{_random(_SECRET_LENGTH)}"
    return ApiKeyText(key_id, f"{body}_{_checksum(body)}")


def parse_key(text: str) -> ApiKeyText | None:
    """The key in `text`, or None when its form or its checksum is wrong: such a one is refused without a query."""
    match = _KEY.fullmatch(text)
    if match is None or match["checksum"] != _checksum(text[: -_CHECKSUM_LENGTH - 1]):
        return None
    return ApiKeyText(match["id"], text)


def key_mac(pepper: Key, key: ApiKeyText) -> bytes:
    """What is stored of a key: HMAC-SHA256 under the pepper, 32 bytes."""
    return hmac.digest(pepper.key, key.text.encode(), sha256)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    value, digits = crc32(body.encode()), ""
    for _ in range(_CHECKSUM_LENGTH):
        value, digit = divmod(value, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
