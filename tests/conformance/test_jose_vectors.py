"""Wycheproof's signed tokens, all of other keys and algorithms: none is an access token of ours, and none crashes."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from atrium.kernel.errors import Unauthenticated
from atrium.ports.keyring import Keyring, new_keyring
from atrium.tenancy.tokens import TokenCodec

ROOT = Path(__file__).parents[2]
VECTORS = (
    Path(os.environ.get("ATRIUM_CONFORMANCE_DATA", ROOT.parent / "shared" / "data")) / "security" / "json_web_signature_test.json"
)


def test_no_foreign_token_is_ours() -> None:
    if not VECTORS.is_file():
        pytest.skip(f"the vectors are not here: {VECTORS}")
    keyring, codec = Keyring.from_json(new_keyring()), TokenCodec("atrium", "atrium-api", 600)
    vectors: list[dict[str, Any]] = [
        test for group in json.loads(VECTORS.read_text(encoding="utf-8"))["testGroups"] for test in group["tests"]
    ]
    assert len(vectors) > 300
    for vector in vectors:
        token = vector["jws"] if isinstance(vector["jws"], str) else json.dumps(vector["jws"])
        with pytest.raises(Unauthenticated):
            codec.verify(keyring, token, datetime(2026, 11, 20, tzinfo=UTC))
