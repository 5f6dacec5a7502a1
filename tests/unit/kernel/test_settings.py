"""Settings that are refused at cold start."""

import pytest
from pydantic import ValidationError

from atrium.kernel.settings import Settings


@pytest.mark.parametrize(
    "origin", ["https://app.example.com", "http://localhost:3000", "http://127.0.0.1:8080", "http://[::1]:80"]
)
def test_an_origin_is_what_a_browser_sends(origin: str) -> None:
    read = Settings.model_validate({"cors_origins": f"{origin}, https://other.example.com"})
    assert read.cors_origins == (origin, "https://other.example.com")


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*.example.com",
        "https://app.example.com/",
        "https://App.example.com",
        "app.example.com",
        "null",
        "ftp://x.yz",
    ],
)
def test_nothing_else_is(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        Settings.model_validate({"cors_origins": origin})


@pytest.mark.parametrize(("sender", "good"), [("", True), ("a@b.cd", True), ("Atrium <a@b.cd>", False), ("nobody", False)])
def test_mails_come_from_one_plain_address(sender: str, good: bool) -> None:
    if good:
        assert Settings.model_validate({"mail_from": sender}).mail_from == sender
    else:
        with pytest.raises(ValidationError, match="mail_from"):
            Settings.model_validate({"mail_from": sender})
