"""The boto3 adapters against moto: round trips, absence, outages, and what a signed URL says."""

import json
from base64 import b64decode
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber

from atrium.kernel.errors import NotFound, Unavailable
from atrium.ports import aws
from atrium.ports.logins import iam_password
from atrium.ports.queue import QueueDepth, SqsQueue
from atrium.ports.secrets import SecretsManagerSecrets
from atrium.ports.storage import S3Storage
from atrium.ports.workflow import StepFunctionsWorkflow

BUCKET = "atrium-test"


pytestmark = pytest.mark.usefixtures("cloud")


@pytest.fixture
def storage() -> S3Storage:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    return S3Storage(BUCKET)


async def test_an_object_comes_back_as_it_was_put(storage: S3Storage) -> None:
    first = await storage.put("a/b.txt", b"one", content_type="text/plain", metadata={"sha256": "x"})
    second = await storage.put("a/b.txt", b"second", content_type="text/plain")
    assert await storage.get("a/b.txt") == b"second"
    assert await storage.get("a/b.txt", first.version_id) == b"one"
    assert (await storage.head("a/b.txt")).size == 6
    assert (await storage.head("a/b.txt")).version_id == second.version_id
    assert [key async for key in storage.list("a/")] == ["a/b.txt"]


async def test_delete_leaves_no_version_and_touches_no_neighbour(storage: S3Storage) -> None:
    for key in ("a/b", "a/b", "a/bc"):
        await storage.put(key, b"x", content_type="text/plain")
    await storage.delete("a/b")
    await storage.delete("a/b")
    listing = aws.client("s3").list_object_versions(Bucket=BUCKET)
    assert [v["Key"] for v in listing["Versions"]] == ["a/bc"]
    assert "DeleteMarkers" not in listing
    assert not await storage.exists("a/b")


async def test_one_version_is_deleted_and_with_the_last_one_the_markers(storage: S3Storage) -> None:
    s3 = aws.client("s3")
    ids = [(await storage.put("a/b", data, content_type="text/plain")).version_id for data in (b"1", b"2", b"3")]
    await storage.put("a/bc", b"x", content_type="text/plain")
    assert await storage.versions("a/b") == tuple(reversed(ids))
    s3.delete_object(Bucket=BUCKET, Key="a/b")
    assert await storage.versions("a/b") == tuple(reversed(ids))
    await storage.delete("a/b", ids[2])
    await storage.delete("a/b", ids[2])
    assert await storage.versions("a/b") == (ids[1], ids[0])
    assert len(s3.list_object_versions(Bucket=BUCKET)["DeleteMarkers"]) == 1
    for each in ids[:2]:
        await storage.delete("a/b", each)
    listing = s3.list_object_versions(Bucket=BUCKET)
    assert [version["Key"] for version in listing["Versions"]] == ["a/bc"]
    assert "DeleteMarkers" not in listing


async def test_an_object_is_read_in_pieces(storage: S3Storage) -> None:
    data = bytes(range(256)) * 10_000
    stored = await storage.put("large", data, content_type="application/pdf")
    await storage.put("large", b"", content_type="application/pdf")
    pieces = [piece async for piece in storage.read("large", stored.version_id)]
    assert (b"".join(pieces), max(map(len, pieces)) <= 1024 * 1024) == (data, True)
    assert [piece async for piece in storage.read("large")] == []
    with pytest.raises(NotFound):
        [piece async for piece in storage.read("nowhere")]


async def test_a_form_is_signed_for_one_key_one_type_and_a_size(storage: S3Storage) -> None:
    storage = S3Storage(BUCKET, "http://localhost:4599")
    form = await storage.presign_post("uploads/a/b.pdf", content_type="application/pdf", sizes=(1, 100), expires_in=60)
    assert form.url.startswith("http://localhost:4599/")
    assert (form.fields["key"], form.fields["Content-Type"]) == ("uploads/a/b.pdf", "application/pdf")
    policy = json.loads(b64decode(form.fields["policy"]))
    assert {"key": "uploads/a/b.pdf"} in policy["conditions"]
    assert {"Content-Type": "application/pdf"} in policy["conditions"]
    assert ["content-length-range", 1, 100] in policy["conditions"]
    assert form.fields["x-amz-signature"] not in repr(form)


async def test_a_purge_leaves_no_version_and_no_marker_under_its_prefix(storage: S3Storage) -> None:
    s3 = aws.client("s3")
    for key in ("t/1/a", "t/1/a", "t/1/b", "t/10/a"):
        await storage.put(key, b"x", content_type="text/plain")
    s3.delete_object(Bucket=BUCKET, Key="t/1/b")
    went = [await storage.purge("t/1/", limit=3) for _ in range(3)]
    assert (sum(went), went[-1]) == (4, 0)
    listing = s3.list_object_versions(Bucket=BUCKET)
    assert [version["Key"] for version in listing["Versions"]] == ["t/10/a"]
    assert "DeleteMarkers" not in listing


async def test_a_purge_that_was_refused_is_no_success(storage: S3Storage) -> None:
    await storage.put("t/a", b"x", content_type="text/plain")
    listing = {"Versions": [{"Key": "t/a", "VersionId": "v"}]}
    with Stubber(aws.client("s3")) as s3:
        s3.add_response("list_object_versions", listing)
        s3.add_response("delete_objects", {"Errors": [{"Key": "t/a", "Code": "AccessDenied"}]})
        with pytest.raises(Unavailable):
            await storage.purge("t/")


async def test_an_absent_object_is_not_found(storage: S3Storage) -> None:
    with pytest.raises(NotFound):
        await storage.get("nowhere")
    with pytest.raises(NotFound):
        await storage.head("nowhere")


async def test_listing_goes_past_one_page(storage: S3Storage) -> None:
    s3 = aws.client("s3")
    for number in range(1003):
        s3.put_object(Bucket=BUCKET, Key=f"p/{number:04d}", Body=b"")
    assert len([key async for key in storage.list("p/")]) == 1003


async def test_a_download_url_is_signed_for_the_public_origin_as_an_attachment() -> None:
    storage = S3Storage(BUCKET, "http://localhost:4599")
    url = urlsplit(
        await storage.presign_get("k/ü.pdf", filename='Prüf"ung\r\n.pdf', content_type="application/pdf", expires_in=300)
    )
    query = parse_qs(url.query)
    assert url.netloc == "localhost:4599"
    assert query["X-Amz-Expires"] == ["300"]
    (disposition,) = query["response-content-disposition"]
    assert disposition.startswith('attachment; filename="Pr_f_ung__.pdf"')
    assert "filename*=UTF-8''Pr%C3%BCf%22ung%0D%0A.pdf" in disposition


async def test_messages_and_their_queue() -> None:
    sqs = aws.client("sqs")
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    queue = SqsQueue(url)
    await queue.reachable()
    await queue.send("hello")
    await queue.send("later", delay=900)
    assert await queue.depth() == QueueDepth(waiting=1, in_flight=0, delayed=1)
    assert sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "hello"
    with pytest.raises(Unavailable):
        await SqsQueue(url + "-absent").send("lost")


async def test_a_secret_is_created_once() -> None:
    store = SecretsManagerSecrets()
    with pytest.raises(NotFound):
        await store.get("s")
    assert await store.create("s", "one")
    assert not await store.create("s", "two")
    assert await store.get("s") == "one"
    await store.put("s", "three")
    assert await store.get("s") == "three"


async def test_an_execution_of_one_name_starts_once() -> None:
    states = aws.client("stepfunctions")
    arn = states.create_state_machine(
        name="m",
        definition='{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}',
        roleArn="arn:aws:iam::123456789012:role/states",
    )["stateMachineArn"]
    workflow = StepFunctionsWorkflow(arn)
    assert await workflow.start("doc-1-1", {"version": 1})
    await workflow.start("doc-1-1", {"version": 1})
    assert len(states.list_executions(stateMachineArn=arn)["executions"]) == 1


async def test_an_execution_that_has_ended_is_not_started_again() -> None:
    stub = Stubber(aws.client("stepfunctions"))
    stub.add_client_error("start_execution", "ExecutionAlreadyExists")
    with stub:
        assert not await StepFunctionsWorkflow("arn:aws:states:us-east-1:123456789012:stateMachine:m").start("doc-1-1", {})


async def test_a_database_login_is_a_signed_token_for_its_role() -> None:
    token = await iam_password("db.cluster.us-east-1.rds.amazonaws.com", 5432)("atrium_app")
    query = parse_qs(urlsplit("https://" + token).query)
    assert token.startswith("db.cluster.us-east-1.rds.amazonaws.com:5432/")
    assert query["DBUser"] == ["atrium_app"]
    assert query["X-Amz-Expires"] == ["900"]


async def test_an_unreachable_service_is_unavailable() -> None:
    def refuse() -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    with pytest.raises(Unavailable, match="object storage"):
        await aws.call("object storage", refuse)
