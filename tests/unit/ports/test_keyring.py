"""The keyring: parsed once, cached, refreshed when a rotation would explain a failure."""

import json

import pytest

from atrium.kernel.errors import Unavailable
from atrium.ports.keyring import Keyring, KeyringSource, new_keyring
from tests.fakes.memory import MemorySecrets


def test_a_new_keyring_has_one_random_key_for_each_use() -> None:
    one, other = Keyring.from_json(new_keyring()), Keyring.from_json(new_keyring())
    keys = [ring[0].key for ring in (one.signing, one.pepper, one.cursor, one.data, other.signing)]
    assert all(len(key) == 32 for key in keys)
    assert len(set(keys)) == 5


def test_key_bytes_never_show_in_a_repr() -> None:
    ring = Keyring.from_json(new_keyring())
    assert str(ring.signing[0].key) not in repr(ring)


@pytest.mark.parametrize("text", ["", "null", "[]", "{}", '{"signing": 3}', '{"signing": [], "pepper": [], "cursor": [{}]}'])
def test_a_broken_secret_is_unavailable(text: str) -> None:
    with pytest.raises(Unavailable):
        Keyring.from_json(text)


async def test_it_is_read_once_and_again_after_a_rotation(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = 1000.0
    monkeypatch.setattr("atrium.ports.keyring.time.monotonic", lambda: clock)
    store = MemorySecrets({"ring": new_keyring()})
    source = KeyringSource(store, "ring")
    before = await source.get()
    assert await source.get() is before
    rotated = json.loads(store.values["ring"])
    rotated["signing"].insert(0, json.loads(new_keyring())["signing"][0])
    store.values["ring"] = json.dumps(rotated)
    assert await source.get(refresh=True) is before, "a forged kid must not make us ask the store at every request"
    clock += 11
    after = await source.get(refresh=True)
    assert after.signing[1:] == before.signing
    assert len(store.reads) == 2
    clock += 301
    await source.get()
    assert len(store.reads) == 3


async def test_without_a_keyring_the_deployment_is_not_ready_and_its_secret_not_named() -> None:
    with pytest.raises(Unavailable) as raised:
        await KeyringSource(MemorySecrets(), "atrium/keyring").get()
    assert "atrium/keyring" not in raised.value.detail
