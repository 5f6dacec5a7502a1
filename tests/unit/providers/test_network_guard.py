"""The guard that every test runs under."""

import pytest

from tests.fakes.network import is_local

pytest_plugins = ["pytester"]

ESCAPES = """
    import os, socket
    import pytest
    from tests.fakes.network import no_real_network

    def test_swallowed():
        try:
            socket.create_connection(("192.0.2.1", 443), timeout=1)
        except OSError:
            pass

    def test_by_name():
        try:
            socket.create_connection(("api.openai.com", 443), timeout=1)
        except OSError:
            pass

    def test_asyncio():
        import asyncio
        with pytest.raises(OSError):
            asyncio.run(asyncio.open_connection("203.0.113.9", 443))

    def test_key():
        assert "OPENAI_API_KEY" not in os.environ

    def test_loopback():
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()
"""


def test_a_test_that_dials_out_fails_even_if_it_swallows_the_error(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    pytester.makepyfile(ESCAPES)
    options = ("-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function")
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=5, errors=3)


@pytest.mark.parametrize("address", [("127.0.0.1", 1), ("::1", 1, 0, 0), ("localhost", 1), "/tmp/socket", ("127.8.8.8", 1)])
def test_what_is_local(address: object) -> None:
    assert is_local(address)


@pytest.mark.parametrize("address", [("10.0.0.1", 1), ("169.254.169.254", 80), ("api.openai.com", 443), ("2001:db8::1", 1)])
def test_what_is_not(address: object) -> None:
    assert not is_local(address)
