"""Queues, the bucket's events, the bus and the alarms on what got stuck."""

from infra.areas import function
from tests.infra.template import Template, logical_name


def queues(template: Template) -> dict[str, dict[str, object]]:
    return {logical_name(name): each["Properties"] for name, each in template.of_type("AWS::SQS::Queue").items()}


def test_every_queue_has_a_dead_letter_queue(aws: Template) -> None:
    dead = {name for name in queues(aws) if name.endswith("DeadLetters")}
    for name, queue in queues(aws).items():
        if name in dead:
            assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        else:
            policy = queue["RedrivePolicy"]
            assert isinstance(policy, dict)
            assert policy["maxReceiveCount"] == 5
            assert logical_name(policy["deadLetterTargetArn"]["Fn::GetAtt"][0]) == name.removesuffix("Queue") + "DeadLetters"
    assert len(dead) * 2 == len(queues(aws)) == 4


def test_queues_are_encrypted_and_take_tls_alone(aws: Template) -> None:
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues(aws).values())
    policies = aws.properties("AWS::SQS::QueuePolicy")
    assert len(policies) == len(queues(aws))
    for policy in policies:
        assert {"Bool": {"aws:SecureTransport": "false"}} in [
            each.get("Condition") for each in policy["PolicyDocument"]["Statement"]
        ]


def test_new_objects_reach_ingest(aws: Template) -> None:
    rule = aws.only("AWS::Events::Rule")
    pattern = rule["EventPattern"]
    assert pattern["source"] == ["aws.s3"]
    assert pattern["detail-type"] == ["Object Created"]
    assert pattern["detail"]["object"]["key"] == [{"prefix": "drop/"}, {"prefix": "uploads/"}]
    (target,) = rule["Targets"]
    assert logical_name(target["Arn"]["Fn::GetAtt"][0]) == "IngestionIngestQueue"
    assert logical_name(target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]) == "IngestionIngestDeadLetters"


def test_ingest_reports_single_failures_and_is_bounded(aws: Template) -> None:
    mapping = aws.only("AWS::Lambda::EventSourceMapping")
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 10}
    assert mapping["BatchSize"] <= 10
    assert queues(aws)["IngestionIngestQueue"]["VisibilityTimeout"] == 6 * function("ingest").timeout


def test_alarms_write_to_one_topic(aws: Template) -> None:
    alarms = aws.properties("AWS::CloudWatch::Alarm")
    (topic,) = aws.of_type("AWS::SNS::Topic")
    assert all(alarm["AlarmActions"] == [{"Ref": topic}] for alarm in alarms)
    watched = {(alarm.get("Namespace"), alarm.get("MetricName")) for alarm in alarms}
    assert {
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/States", "ExecutionsFailed"),
        ("AWS/Lambda", "Errors"),
        ("AWS/ApiGateway", "5XXError"),
    } <= watched
    # Demanding TLS replaced the default policy.
    statements = aws.only("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert {"Service": "cloudwatch.amazonaws.com"} in [each["Principal"] for each in statements if each["Effect"] == "Allow"]
