"""The workers as Lambda calls them, one after the other, on files of every format: real parsers in their own process,
the real model, a real database; moto is S3 and Step Functions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from moto import mock_aws

from atrium.kernel.errors import IngestionFailed
from atrium.kernel.settings import Settings, load_settings
from atrium.ports import aws
from atrium.runtime import run, runtime
from functions.embed.handler import handler as embed
from functions.extract.handler import handler as extract
from functions.ingest.handler import handler as ingest
from functions.publish.handler import handler as publish
from tests.factories.cluster import Cluster
from tests.factories.documents import event
from tests.factories.logs import fresh_logging

BUCKET: Final = "atrium-documents"
TENANT: Final = "0199f3a2-7c1e-7b2a-9a7e-3c5d1f0b2a11"  # as the stored events name it
FILES: Final = Path(__file__).parents[2] / "fixtures" / "documents"
_STATES: Final = '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'


@pytest.fixture
def deployment(settings: Settings, cluster: Cluster, model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The environment of the workers' containers; the state machine's ARN."""
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with fresh_logging(), mock_aws(), cluster.superuser(settings.database_name) as connection:
        connection.execute("INSERT INTO atrium.tenants (tenant_id, name) VALUES (%s, 'A tenant')", [TENANT])
        _forget()
        arn = _make_cloud()
        environment = {"BUCKET": BUCKET, "PIPELINE_ARN": arn, "MODEL_DIR": str(model_dir), "DATABASE_POOL_SIZE": "0"}
        for name in ("host", "port", "name", "user", "password"):
            environment[f"DATABASE_{name.upper()}"] = str(getattr(settings, f"database_{name}"))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield arn
        run(runtime().close())
        _forget()


def _forget() -> None:
    for kept in (aws.client, runtime, load_settings):
        kept.cache_clear()


def _make_cloud() -> str:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    machine = aws.client("stepfunctions").create_state_machine(
        name="DocumentPipeline", definition=_STATES, roleArn="arn:aws:iam::123456789012:role/pipeline"
    )
    return str(machine["stateMachineArn"])


def arrive(path: str, data: bytes) -> dict[str, Any]:
    """Drop a file; the queue's batch that tells of it."""
    batch = event("ingest/drop")
    body = json.loads(batch["Records"][0]["body"])
    thing = body["detail"]["object"]
    thing["key"] = f"drop/{TENANT}/{path}"
    thing["version-id"] = aws.client("s3").put_object(Bucket=BUCKET, Key=thing["key"], Body=data)["VersionId"]
    batch["Records"][0]["body"] = json.dumps(body)
    return batch


def started(arn: str) -> dict[str, Any]:
    """The input of the one execution."""
    steps = aws.client("stepfunctions")
    (execution,) = steps.list_executions(stateMachineArn=arn)["executions"]
    payload: dict[str, Any] = json.loads(steps.describe_execution(executionArn=execution["executionArn"])["input"])
    return payload


def rows(cluster: Cluster, settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with cluster.superuser(settings.database_name) as connection:
        return connection.execute(query).fetchall()


def state(name: str, execution: dict[str, Any]) -> dict[str, Any]:
    """A stored state's input, for this execution."""
    return event(name) | execution


@pytest.mark.parametrize("name", ["calibration-guide.html", "field-service-handbook.pdf", "onboarding.txt", "travel-policy.docx"])
def test_a_file_goes_from_the_drop_folder_to_the_index(deployment: str, cluster: Cluster, settings: Settings, name: str) -> None:
    batch = arrive(f"handbook/{name}", (FILES / name).read_bytes())
    for _ in range(2):
        assert ingest(batch, None) == {"batchItemFailures": []}
    execution = started(deployment)

    assert extract(state("extract/inspect", execution), None)["content_type"]
    assert extract(state("extract/extract", execution), None)["characters"] > 500
    batches = embed(state("embed/chunk", execution), None)["batches"]
    for number in batches:
        assert embed(state("embed/embed", execution) | {"batch": number}, None)["embedded"] is True
    assert publish(state("publish/publish", execution), None) == {"published": True}
    assert publish(state("publish/publish", execution), None) == {"published": False}

    ((status, language, title),) = rows(cluster, settings, "SELECT status, language, title FROM atrium.document_versions")
    assert (status, language, bool(title) or name.endswith(".txt")) == ("ready", "en", True)
    text = (
        aws.client("s3").get_object(Bucket=BUCKET, Key=f"text/{TENANT}/{execution['document_id']}/1.txt")["Body"].read().decode()
    )
    chunks = rows(cluster, settings, "SELECT text, char_start, char_end, page_from FROM atrium.chunks ORDER BY ordinal")
    assert [chunk[0] for chunk in chunks] == [text[start:end] for _, start, end, _ in chunks]
    assert all((page is not None) == name.endswith(".pdf") for *_, page in chunks)
    assert ingest(batch, None) == {"batchItemFailures": []}
    assert len(rows(cluster, settings, "SELECT 1 FROM atrium.document_versions")) == 1


def test_a_file_that_is_not_what_it_says_fails_with_a_reason(deployment: str, cluster: Cluster, settings: Settings) -> None:
    ingest(arrive("broken.pdf", b"not a PDF at all"), None)
    execution = started(deployment)
    with pytest.raises(IngestionFailed) as caught:
        extract(state("extract/inspect", execution), None)

    failure = {"errorType": type(caught.value).__name__, "errorMessage": str(caught.value), "stackTrace": []}
    error = {"Error": failure["errorType"], "Cause": json.dumps(failure)}
    assert publish(state("publish/fail", execution) | {"error": error}, None) == {"failed": "type-mismatch"}

    ((status, kind),) = rows(cluster, settings, "SELECT status, error_type FROM atrium.document_versions")
    assert (status, kind) == ("failed", "type-mismatch")


def test_the_workers_log_what_they_do_with_which_document(deployment: str, capsys: pytest.CaptureFixture[str]) -> None:
    batch = arrive("broken.pdf", b"not a PDF at all")
    ingest(batch, None)
    execution = started(deployment)
    with pytest.raises(IngestionFailed):
        extract(state("extract/inspect", execution), None)
    with pytest.raises(ValueError, match="dance"):
        publish({**state("publish/publish", execution), "step": "dance"}, None)
    publish(state("publish/fail", execution), None)

    # One process stands for three containers: the first one's name stays.
    received, refused, crashed, ended = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (received["message_id"], received["service"]) == (batch["Records"][0]["messageId"], "ingest")
    for line in (refused, crashed, ended):
        assert {name: line[name] for name in execution} == execution
    assert (refused["level"], refused["step"]) == ("WARNING", "inspect")
    assert "type-mismatch" in refused["message"]
    assert (crashed["level"], crashed["step"], "ValueError" in crashed["exception"]) == ("ERROR", "dance", True)
    assert (ended["level"], ended["step"]) == ("INFO", "fail")
