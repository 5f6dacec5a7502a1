"""Queues, the bucket's events, the bus and the alarms on what got stuck."""

import json

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template as CdkTemplate

from infra.areas import FUNCTIONS, function
from infra.ingestion import Ingestion
from infra.settings import Settings
from tests.infra.template import Template, logical_name


def queues(template: Template) -> dict[str, dict[str, object]]:
    return {logical_name(name): each["Properties"] for name, each in template.of_type("AWS::SQS::Queue").items()}


def test_every_queue_has_a_dead_letter_queue(aws: Template) -> None:
    dead = {name for name in queues(aws) if name.endswith("DeadLetters")}
    # That of the schedules, which have no queue.
    dead.remove("HousekeepingDeadLetters")
    for name, queue in queues(aws).items():
        if name.endswith("DeadLetters"):
            assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
        else:
            policy = queue["RedrivePolicy"]
            assert isinstance(policy, dict)
            assert policy["maxReceiveCount"] == 5
            assert logical_name(policy["deadLetterTargetArn"]["Fn::GetAtt"][0]) == name.removesuffix("Queue") + "DeadLetters"
    assert len(dead) * 2 == len(queues(aws)) - 1 == 4


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


def test_deletions_in_the_drop_folder_reach_it_where_they_are_mirrored() -> None:
    stack = Stack(App())
    Ingestion(stack, "Ingestion", bucket=s3.Bucket(stack, "Bucket"), settings=Settings(drop_delete="mirror"))
    rules = CdkTemplate.from_stack(stack).find_resources("AWS::Events::Rule")
    patterns = [rule["Properties"]["EventPattern"] for rule in rules.values()]
    heard = {pattern["detail-type"][0]: [key["prefix"] for key in pattern["detail"]["object"]["key"]] for pattern in patterns}
    assert heard == {"Object Created": ["drop/", "uploads/"], "Object Deleted": ["drop/"]}
    assert len({json.dumps(rule["Properties"]["Targets"][0]["Arn"]) for rule in rules.values()}) == 1


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
        ("AWS/States", "ExecutionsTimedOut"),
        ("Atrium", "FailedThroughUs"),
        ("Atrium", "OldestUnfinished"),
        ("Atrium", "BudgetOvershot"),
        ("AWS/Lambda", "Errors"),
        ("AWS/ApiGateway", "5XXError"),
    } <= watched
    # Demanding TLS replaced the default policy.
    statements = aws.only("AWS::SNS::TopicPolicy")["PolicyDocument"]["Statement"]
    assert {"Service": "cloudwatch.amazonaws.com"} in [each["Principal"] for each in statements if each["Effect"] == "Allow"]


def test_an_unreadable_document_alarms_nobody(aws: Template) -> None:
    """Its step raises and its execution fails: neither is looked at, but the verdicts and the age in the logs are."""
    alarms = aws.properties("AWS::CloudWatch::Alarm")
    assert "ExecutionsFailed" not in {alarm.get("MetricName") for alarm in alarms}
    watched = {str(alarm["Dimensions"]) for alarm in alarms if alarm.get("Namespace") == "AWS/Lambda"}
    steps = [name for name in ("FunctionsExtract", "FunctionsEmbed", "FunctionsPublish") for each in watched if name in each]
    assert (steps, len(watched)) == ([], len(FUNCTIONS) - 3)


def test_what_alarms_is_counted_in_the_logs_that_say_it(aws: Template) -> None:
    filters = aws.properties("AWS::Logs::MetricFilter")
    found = {
        (each["MetricTransformations"][0]["MetricName"], logical_name(each["LogGroupName"]["Ref"]), each["FilterPattern"])
        for each in filters
    }
    ours, age = '{ $.verdict = "ours" }', "{ $.oldest_unfinished_seconds >= 0 }"
    assert found == {
        ("FailedThroughUs", "FunctionsPublishLogs", ours),
        ("FailedThroughUs", "FunctionsHousekeepingLogs", ours),
        ("OldestUnfinished", "FunctionsHousekeepingLogs", age),
        *(("BudgetOvershot", f"Functions{name}Logs", "{ $.overshoot_usd > 0 }") for name in ("Rag", "Llm", "Openai", "Embed")),
    }


def test_schedules_invoke_their_function_and_nothing_else(aws: Template) -> None:
    schedules = {each["Name"]: each for each in aws.properties("AWS::Scheduler::Schedule")}
    assert {name: each["ScheduleExpression"] for name, each in schedules.items()} == {
        "atrium-sweep": "rate(5 minutes)",
        "atrium-erase": "rate(5 minutes)",
        "atrium-seal": "rate(5 minutes)",
        "atrium-expire": "rate(1 hour)",
        "atrium-index": "rate(1 hour)",
    }
    for name, schedule in schedules.items():
        target = schedule["Target"]
        task, function = name.removeprefix("atrium-"), "Indexing" if name == "atrium-index" else "Housekeeping"
        assert json.loads(target["Input"]) == ({} if task == "index" else {"task": task})
        assert logical_name(target["Arn"]["Fn::GetAtt"][0]) == f"Functions{function}"
        assert logical_name(target["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]) == "HousekeepingDeadLetters"
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 1800, "MaximumRetryAttempts": 2}
        role = target["RoleArn"]["Fn::GetAtt"][0]
        policies = [each for each in aws.properties("AWS::IAM::Policy") if {"Ref": role} in each["Roles"]]
        statements = [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]
        assert {each["Action"]: logical_name(each["Resource"]["Fn::GetAtt"][0]) for each in statements} == {
            "lambda:InvokeFunction": f"Functions{function}",
            "sqs:SendMessage": "HousekeepingDeadLetters",
        }


@pytest.mark.parametrize(
    ("given", "minutes"),
    [
        ({}, 5),
        ({"aurora_min_capacity": 0}, 60),
        ({"aurora_min_capacity": 0, "sweep_minutes": 10}, 10),
        ({"sweep_minutes": 30}, 30),
        ({"target": "local", "aurora_min_capacity": 0}, 5),
    ],
)
def test_sweeps_let_aurora_pause_where_it_may(given: dict[str, object], minutes: int) -> None:
    assert Settings.model_validate(given).sweep_interval == minutes
