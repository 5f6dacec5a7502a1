"""With a sender one function may mail, as that sender alone; without one nobody."""

import json

import pytest

from infra.areas import FUNCTIONS
from infra.settings import Settings
from tests.infra.conftest import placeholder_build, synth
from tests.infra.template import Template, as_list

SENDER = "atrium@example.com"


@pytest.fixture(scope="module")
def mailing(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """An account's stack with a sender; cdk-nag has passed it."""
    folder = tmp_path_factory.mktemp("mail")
    done = synth(folder / "out", placeholder_build(folder / "build"), target="aws", mail_from=SENDER)
    assert done.returncode == 0, done.stdout + done.stderr
    return Template(json.loads((folder / "out" / "Atrium.template.json").read_text()))


def test_one_function_may_send_as_the_sender(mailing: Template) -> None:
    senders = {each.name: mailing.allowed(each.name, "ses:SendEmail") for each in FUNCTIONS}
    assert [name for name, identities in senders.items() if identities] == ["auth"]
    assert sorted(arn.rsplit(":", 1)[1] for arn in senders["auth"]) == ["identity/atrium@example.com", "identity/example.com"]
    (statement,) = [each for each in mailing.statements("auth") if "ses:SendEmail" in as_list(each["Action"])]
    assert statement["Condition"] == {"StringEquals": {"ses:FromAddress": SENDER}}


def test_the_function_is_told_who_it_is(mailing: Template) -> None:
    assert mailing.function("auth")["Environment"]["Variables"]["MAIL_FROM"] == SENDER


def test_without_a_sender_nobody_may(aws: Template, local: Template) -> None:
    for template in (aws, local):
        assert "ses:SendEmail" not in json.dumps(template.document)
        assert template.function("auth")["Environment"]["Variables"]["MAIL_FROM"] == ""


@pytest.mark.parametrize("wrong", [{"mail_from": "Atrium <a@b.cd>"}, {"cors_origins": "*"}, {"cors_origins": "https://a.b/"}])
def test_what_cannot_be_a_sender_or_an_origin_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings.model_validate(wrong)
