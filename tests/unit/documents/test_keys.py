from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.documents.keys import (
    DropKey,
    ForeignKey,
    RejectedKey,
    UploadKey,
    own_prefixes,
    parse_key,
    text_key,
    upload_key,
    work_prefix,
)
from atrium.documents.naming import display_name
from atrium.kernel.principal import TenantId

TENANT = TenantId(UUID("0199f3a2-7c1e-7b2a-9a7e-3c5d1f0b2a11"))
DOCUMENT = UUID("0199f3a3-0d4f-7c55-8b1c-6f2e9a7d4c22")


def test_an_uploads_key_is_read_back() -> None:
    key = upload_key(TENANT, DOCUMENT, 3, "Some / name.pdf", "application/pdf")
    assert key == f"uploads/{TENANT}/{DOCUMENT}/3/name.pdf"
    assert parse_key(key) == UploadKey(TENANT, DOCUMENT, 3)


@pytest.mark.parametrize(
    ("path", "collection", "name"),
    [
        ("a.txt", "default", "a.txt"),
        ("contracts/a.txt", "contracts", "a.txt"),
        ("contracts/2026/May/a b+c%20.txt", "contracts", "2026/May/a b+c%20.txt"),
        ("x.y_z-1//a.txt", "x.y_z-1", "/a.txt"),
    ],
)
def test_a_drops_first_folder_is_its_collection(path: str, collection: str, name: str) -> None:
    assert parse_key(f"drop/{TENANT}/{path}") == DropKey(TENANT, collection, name)


@pytest.mark.parametrize("key", ["", "drop", "drop/", f"drop/{TENANT}/", f"drop/{TENANT}/a/", f"work/{TENANT}/a", "other/a", "a"])
def test_what_is_none_of_ours_is_told_apart_from_what_is_wrong(key: str) -> None:
    assert isinstance(parse_key(key), ForeignKey) or (key == "drop" and isinstance(parse_key(key), RejectedKey))


@pytest.mark.parametrize(
    ("key", "tenant", "kind"),
    [
        ("drop/acme/a.txt", None, "unknown-tenant"),
        (f"drop/{str(TENANT).upper()}/a.txt", None, "unknown-tenant"),
        (f"drop/{{{TENANT}}}/a.txt", None, "unknown-tenant"),
        (f"drop/{TENANT.hex}/a.txt", None, "unknown-tenant"),
        (f"drop/{TENANT}", TENANT, "bad-name"),
        (f"drop/{TENANT}/..", TENANT, "bad-name"),
        (f"drop/{TENANT}/../{DOCUMENT}/a.txt", TENANT, "bad-name"),
        (f"drop/{TENANT}/contracts/x/./a.txt", TENANT, "bad-name"),
        (f"drop/{TENANT}/Upper/a.txt", TENANT, "bad-collection"),
        (f"drop/{TENANT}//a.txt", TENANT, "bad-collection"),
        (f"drop/{TENANT}/{'x' * 65}/a.txt", TENANT, "bad-collection"),
        (f"drop/{TENANT}/ok/\u202e", TENANT, "bad-name"),
        (f"uploads/{TENANT}/x/1/a.txt", TENANT, "unknown-key"),
        (f"uploads/{TENANT}/{DOCUMENT}/one/a.txt", TENANT, "unknown-key"),
        (f"uploads/{TENANT}/{DOCUMENT}/1/a/b.txt", TENANT, "unknown-key"),
        (f"uploads/{TENANT}/{DOCUMENT}/99999999999/a.txt", TENANT, "unknown-key"),
        (f"uploads/{TENANT}/{DOCUMENT}/0/a.txt", TENANT, "unknown-key"),
    ],
)
def test_what_can_never_be_a_document_is_rejected_with_a_reason(key: str, tenant: TenantId | None, kind: str) -> None:
    rejected = parse_key(key)
    assert isinstance(rejected, RejectedKey)
    assert (rejected.tenant_id, rejected.kind) == (tenant, kind)


@given(st.text(max_size=60))
def test_any_key_is_understood_or_rejected(rest: str) -> None:
    for prefix in ("", "drop/", f"drop/{TENANT}/", f"drop/{TENANT}/c/", f"uploads/{TENANT}/{DOCUMENT}/"):
        parsed = parse_key(prefix + rest)
        if isinstance(parsed, DropKey):
            assert display_name(parsed.name) == parsed.name


def test_a_version_has_places_of_its_own() -> None:
    other = uuid4()
    assert work_prefix(TENANT, DOCUMENT, 1).endswith(f"{DOCUMENT}/1/")
    assert len({text_key(TENANT, DOCUMENT, 1), text_key(TENANT, DOCUMENT, 2), text_key(TENANT, other, 1)}) == 3


def test_what_is_a_documents_alone_lies_under_its_prefixes() -> None:
    prefixes = own_prefixes(TENANT, DOCUMENT)
    for key in (
        upload_key(TENANT, DOCUMENT, 1, "a.txt", "text/plain"),
        text_key(TENANT, DOCUMENT, 1),
        work_prefix(TENANT, DOCUMENT, 1),
    ):
        assert len([prefix for prefix in prefixes if key.startswith(prefix)]) == 1
