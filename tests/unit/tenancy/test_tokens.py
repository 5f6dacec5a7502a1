"""Access tokens: ours are read, everything that is only nearly ours is refused."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from atrium.kernel.errors import Unauthenticated
from atrium.kernel.principal import Role, TenantId
from atrium.ports.keyring import Key, Keyring
from atrium.tenancy.tokens import AccessClaims, TokenCodec, UnknownKey, jwks

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
NEW, OLD = Key("new", b"n" * 32), Key("old", b"o" * 32)
RING = Keyring(signing=(NEW, OLD), pepper=(), cursor=(), data=())
CODEC = TokenCodec("atrium", "atrium-api", 600)
CLAIMS = AccessClaims(UUID(int=1), TenantId(UUID(int=2)), Role.MEMBER, 3, UUID(int=4))
TOKEN = CODEC.issue(RING, CLAIMS, NOW)


def private(key: Key = NEW) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(key.key)


def payload() -> dict[str, Any]:
    decoded: dict[str, Any] = jwt.decode(TOKEN, options={"verify_signature": False})
    return decoded


def signed(claims: object, key: Key = NEW, **header: object) -> str:
    return jwt.api_jws.encode(
        json.dumps(claims).encode(), private(key), algorithm="EdDSA", headers={"typ": "at+jwt", "kid": key.kid, **header}
    )


def segment(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def refused(token: str, now: datetime = NOW) -> None:
    with pytest.raises(Unauthenticated):
        CODEC.verify(RING, token, now)


class TestOurs:
    def test_what_was_issued_is_read(self) -> None:
        assert CODEC.verify(RING, TOKEN, NOW) == CLAIMS

    def test_the_header_and_the_claims_are_the_settled_ones(self) -> None:
        assert jwt.get_unverified_header(TOKEN) == {"alg": "EdDSA", "typ": "at+jwt", "kid": "new"}
        assert set(payload()) == {"iss", "aud", "sub", "jti", "iat", "exp", "tenant", "role", "ver", "sid"}

    def test_it_lives_its_time_and_no_longer(self) -> None:
        assert CODEC.verify(RING, TOKEN, NOW + timedelta(seconds=599)) == CLAIMS
        refused(TOKEN, NOW + timedelta(seconds=600))

    def test_an_older_key_still_verifies(self) -> None:
        assert CODEC.verify(RING, signed(payload(), OLD), NOW) == CLAIMS

    def test_the_published_key_verifies_it(self) -> None:
        key = jwt.PyJWKSet.from_dict(jwks(RING))["new"]
        assert jwt.api_jws.decode(TOKEN, key.key, algorithms=["EdDSA"])

    def test_what_is_published_is_public(self) -> None:
        assert [set(key) for key in jwks(RING)["keys"]] == [{"kty", "crv", "alg", "use", "kid", "x"}] * 2


class TestNearlyOurs:
    @pytest.mark.parametrize("name", sorted(payload()))
    def test_every_claim_is_required(self, name: str) -> None:
        refused(signed({key: value for key, value in payload().items() if key != name}))

    @pytest.mark.parametrize(
        "change",
        [
            {"iss": "other"},
            {"iss": ["atrium"]},
            {"aud": "other"},
            {"aud": ["atrium-api"]},
            {"aud": ["atrium-api", "other"]},
            {"aud": None},
            {"exp": True},
            {"exp": str(int(NOW.timestamp()) + 600)},
            {"exp": NOW.timestamp() + 600.0},
            {"exp": int(NOW.timestamp()) + 10_000_000},
            {"iat": int(NOW.timestamp()) + 60},
            {"ver": "3"},
            {"ver": True},
            {"sub": "nobody"},
            {"sub": 1},
            {"tenant": None},
            {"role": "owner"},
            {"jti": 5},
            {"sid": ""},
        ],
        ids=str,
    )
    def test_a_wrong_claim_is_refused(self, change: dict[str, object]) -> None:
        refused(signed(payload() | change))

    @pytest.mark.parametrize("body", [[], "text", 1, None])
    def test_claims_are_an_object(self, body: object) -> None:
        refused(signed(body))

    @pytest.mark.parametrize("typ", ["JWT", "AT+JWT", "application/at+jwt", "", None])
    def test_any_other_type_is_refused(self, typ: str | None) -> None:
        refused(signed(payload(), typ=typ))

    def test_an_unknown_kid_says_so(self) -> None:
        with pytest.raises(UnknownKey):
            CODEC.verify(RING, signed(payload(), Key("newer", b"x" * 32)), NOW)

    def test_a_known_kid_with_another_key_is_refused(self) -> None:
        refused(signed(payload(), Key("new", b"x" * 32)))

    def test_one_kid_does_not_verify_with_anothers_key(self) -> None:
        refused(signed(payload(), OLD, kid="new"))

    @pytest.mark.parametrize("name", ["jku", "x5u", "jwk"])
    def test_keys_named_in_the_header_are_ignored(self, name: str) -> None:
        foreign = Key("new", b"x" * 32)
        own = jwks(Keyring(signing=(foreign,), pepper=(), cursor=(), data=()))["keys"][0]
        refused(signed(payload(), foreign, **{name: own if name == "jwk" else "https://evil.example/keys"}))
        assert CODEC.verify(RING, signed(payload(), NEW, **{name: "https://evil.example/keys"}), NOW) == CLAIMS

    def test_critical_extensions_are_refused(self) -> None:
        refused(signed(payload(), crit=["exp"]))


class TestForged:
    @pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
    def test_no_signature_is_no_token(self, alg: str) -> None:
        header = segment({"alg": alg, "typ": "at+jwt", "kid": "new"})
        refused(f"{header}.{segment(payload())}.")
        refused(f"{header}.{segment(payload())}.AAAA")

    def test_the_public_key_is_no_hmac_secret(self) -> None:
        header = {"typ": "at+jwt", "kid": "new"}
        secret = private().public_key().public_bytes_raw()
        refused(jwt.encode(payload(), secret, algorithm="HS256", headers=header))

    def test_a_changed_payload_is_noticed(self) -> None:
        head, _, tail = TOKEN.split(".")
        refused(f"{head}.{segment(payload() | {'role': 'admin'})}.{tail}")

    @pytest.mark.parametrize(
        "token",
        ["", ".", "..", "a.b", "a.b.c", "a.b.c.d", "a.b.c.d.e", "é.é.é", TOKEN + ".", " " + TOKEN, "A" * 10_000, TOKEN + "=="],
        ids=len,  # the token itself is another in every process
    )
    def test_what_is_no_token(self, token: str) -> None:
        refused(token)

    def test_a_header_that_is_no_object_or_nests_without_end(self) -> None:
        for header in (b"[]", b"1", b"null", b"[" * 2000, b"\xff"):
            encoded = urlsafe_b64encode(header).decode().rstrip("=")
            refused(f"{encoded}.{segment(payload())}.AAAA")

    @given(st.data())
    def test_any_changed_bit_is_refused(self, data: st.DataObject) -> None:
        parts = [bytearray(urlsafe_b64decode(part + "==")) for part in TOKEN.split(".")]
        part = data.draw(st.integers(0, 2))
        at = data.draw(st.integers(0, len(parts[part]) - 1))
        parts[part][at] ^= 1 << data.draw(st.integers(0, 7))
        refused(".".join(urlsafe_b64encode(bytes(each)).decode().rstrip("=") for each in parts))

    @given(st.text(max_size=300))
    def test_any_text_is_refused_quietly(self, text: str) -> None:
        refused(text)
