"""A log line is JSON, knows its request, and shows no credential."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from atrium.kernel.telemetry import bound, configure_logging
from atrium.tenancy.keys import new_key
from tests.factories.logs import fresh_logging

KEY = new_key().text
Lines = Callable[[], list[dict[str, object]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    with fresh_logging():
        configure_logging("auth", "INFO")
        yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_is_json_with_service_level_and_fields(lines: Lines) -> None:
    logging.getLogger("atrium.documents").info("stored %s", "it", extra={"size": 5})
    (line,) = lines()
    assert line["service"] == "auth"
    assert (line["level"], line["message"], line["size"]) == ("INFO", "stored it", 5)


def test_what_is_bound_is_on_every_line_inside_and_on_none_after(lines: Lines) -> None:
    logger = logging.getLogger("atrium.x")
    with bound(request_id="r-1"):
        with bound(tenant="t"):
            logger.info("inner")
        logger.info("outer")
    logger.info("after")
    inner, outer, after = lines()
    assert (inner["request_id"], inner["tenant"]) == ("r-1", "t")
    assert "tenant" not in outer
    assert "request_id" not in after


def test_a_second_service_does_not_print_twice(lines: Lines) -> None:
    configure_logging("documents", "INFO")
    logging.getLogger("atrium.x").info("once")
    assert [line["service"] for line in lines()] == ["auth"]


def test_an_exception_brings_its_traceback(lines: Lines) -> None:
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError:
        logging.getLogger("atrium.x").exception("failed")
    (line,) = lines()
    assert "ZeroDivisionError: by nothing" in str(line["exception"])


@pytest.mark.parametrize(
    "secret",
    [
        KEY,
        "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "sk-abcdefghijklmnopqrstu",
    ],
    ids=["api key", "access token", "webhook secret", "provider key"],
)
def test_what_looks_like_a_credential_is_masked(lines: Lines, secret: str) -> None:
    try:
        raise ValueError(f"Authorization: Bearer {secret}")
    except ValueError:
        logging.getLogger("atrium.x").exception("with %s", secret, extra={"header": secret})
    assert secret not in json.dumps(lines())
