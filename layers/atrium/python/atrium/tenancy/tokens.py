"""Access tokens: EdDSA JWTs of ten minutes, checked by us claim by claim.

PyJWT verifies the signature; alone it accepts a missing `exp`, any `typ` and extra audiences.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from atrium.kernel.errors import Unauthenticated
from atrium.kernel.ids import new_id
from atrium.kernel.principal import Role, TenantId
from atrium.ports.keyring import Key, Keyring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TYPE: Final = "at+jwt"
# Every signing key of the keyring is Ed25519, so its algorithm is this one whatever a header says.
ALGORITHM: Final = "EdDSA"
_MAX_LENGTH: Final = 4096
_MAX_TTL: Final = 3600
# Clocks of two machines: a token may be this much from the future.
_SKEW: Final = timedelta(seconds=5)
_TOKEN: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_CLAIMS: Final = ("iss", "aud", "sub", "jti", "iat", "exp", "tenant", "role", "ver", "sid")


class UnknownKey(Unauthenticated):
    """The token names a key that the keyring does not hold: perhaps a newer one."""


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What a token says. `version` is the user's token version, `session_id` the login it comes from."""

    user_id: UUID
    tenant_id: TenantId
    role: Role
    version: int
    session_id: UUID


class TokenCodec:
    """Makes and reads the access tokens of one issuer for one audience; `ttl` in seconds."""

    def __init__(self, issuer: str, audience: str, ttl: int) -> None:
        self._issuer = issuer
        self._audience = audience
        self.ttl = ttl

    def issue(self, keyring: Keyring, claims: AccessClaims, now: datetime) -> str:
        """A token signed with the newest key."""
        import jwt

        key = keyring.signing[0]
        issued = int(now.timestamp())
        payload = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": str(claims.user_id),
            "jti": str(new_id()),
            "iat": issued,
            "exp": issued + self.ttl,
            "tenant": str(claims.tenant_id),
            "role": claims.role.value,
            "ver": claims.version,
            "sid": str(claims.session_id),
        }
        return jwt.encode(payload, _private(key), algorithm=ALGORITHM, headers={"typ": TYPE, "kid": key.kid})

    def verify(self, keyring: Keyring, token: str, now: datetime) -> AccessClaims:
        """What the token says. `Unauthenticated` when it is not ours or not valid now; `UnknownKey` on a foreign kid."""
        payload = _signed_payload(keyring, token)
        self._check_claims(payload, now)
        try:
            return AccessClaims(
                UUID(payload["sub"]),
                TenantId(UUID(payload["tenant"])),
                Role(payload["role"]),
                payload["ver"],
                UUID(payload["sid"]),
            )
        except (ValueError, TypeError, AttributeError) as exc:
            raise _invalid() from exc

    def _check_claims(self, payload: dict[str, Any], now: datetime) -> None:
        if any(name not in payload for name in _CLAIMS):
            raise _invalid()
        # A list of audiences would let another service's token in; ours is one string.
        if payload["iss"] != self._issuer or payload["aud"] != self._audience:
            raise _invalid()
        # bool is an int to Python, and True no time.
        if any(type(payload[name]) is not int for name in ("iat", "exp", "ver")) or type(payload["jti"]) is not str:
            raise _invalid()
        moment = now.timestamp()
        if (
            payload["exp"] <= moment
            or payload["iat"] > moment + _SKEW.total_seconds()
            or payload["exp"] - payload["iat"] > _MAX_TTL
        ):
            raise Unauthenticated("The access token has expired.")


def jwks(keyring: Keyring) -> dict[str, list[dict[str, str]]]:
    """The public keys as a JWK set (RFC 7517, 8037)."""
    return {"keys": [_jwk(key) for key in keyring.signing]}


def _signed_payload(keyring: Keyring, token: str) -> dict[str, Any]:
    """The payload of a token whose header and signature are in order; keys named inside the token are never used."""
    import jwt

    if len(token) > _MAX_LENGTH or not _TOKEN.fullmatch(token):
        raise _invalid()
    header = _header(token.split(".", 1)[0])
    if header.get("typ") != TYPE or header.get("alg") != ALGORITHM or "crit" in header:
        raise _invalid()
    key = next((key for key in keyring.signing if key.kid == header.get("kid")), None)
    if key is None:
        raise UnknownKey("The access token is not valid.")
    try:
        # Dates and audience are checked by us, on the claims as they are.
        signed = jwt.api_jws.decode_complete(token, _private(key).public_key(), algorithms=[ALGORITHM])
        payload = json.loads(signed["payload"])
    except (jwt.InvalidTokenError, ValueError) as exc:
        raise _invalid() from exc
    if not isinstance(payload, dict):
        raise _invalid()
    return payload


def _header(segment: str) -> dict[str, Any]:
    try:
        header = json.loads(urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (ValueError, RecursionError) as exc:
        raise _invalid() from exc
    if not isinstance(header, dict):
        raise _invalid()
    return header


def _private(key: Key) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519PrivateKey.from_private_bytes(key.key)


def _jwk(key: Key) -> dict[str, str]:
    x = urlsafe_b64encode(_private(key).public_key().public_bytes_raw()).decode().rstrip("=")
    return {"kty": "OKP", "crv": "Ed25519", "alg": ALGORITHM, "use": "sig", "kid": key.kid, "x": x}


def _invalid() -> Unauthenticated:
    return Unauthenticated("The access token is not valid.")
