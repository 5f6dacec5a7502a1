"""The document pipeline's states: what is retried, what is not, and that nothing ends without a verdict."""

import json
from typing import Any

import pytest

from infra.document_pipeline import INFRASTRUCTURE, PERMANENT, definition
from tests.infra.template import Template, plain

MACHINE = definition(extract="arn:extract", embed="arn:embed", publish="arn:publish")
STATES: dict[str, dict[str, Any]] = MACHINE["States"]
EMBED = STATES["EmbedBatches"]["ItemProcessor"]["States"]["Embed"]
TASKS = {name: state for name, state in STATES.items() if state["Type"] == "Task"} | {"Embed": EMBED}
STEPS = {
    "Inspect": ("arn:extract", "inspect"),
    "Extract": ("arn:extract", "extract"),
    "Chunk": ("arn:embed", "chunk"),
    "Embed": ("arn:embed", "embed"),
    "Publish": ("arn:publish", "publish"),
    "MarkFailed": ("arn:publish", "fail"),
}


def test_every_task_runs_its_step_in_its_function() -> None:
    called = {name: state["Arguments"] for name, state in TASKS.items()}
    assert {name: each["FunctionName"] for name, each in called.items()} == {
        name: function for name, (function, _) in STEPS.items()
    }
    for name, (_, step) in STEPS.items():
        assert f'"step": "{step}"' in called[name]["Payload"]
        assert "$states.context.Execution.Input" in called[name]["Payload"]


def test_the_way_through_is_the_declared_one() -> None:
    way, name = [], MACHINE["StartAt"]
    while name:
        way.append(name)
        name = STATES[name].get("Next") or STATES[name].get("Default")
    assert way == ["Inspect", "Extract", "PagesLeft", "Chunk", "EmbedBatches", "Publish", "Ready"]


def test_a_scan_is_extracted_again_until_no_page_is_left() -> None:
    (again,) = STATES["PagesLeft"]["Choices"]
    assert again == {"Condition": "{% $states.input.pages_left > 0 %}", "Next": "Extract"}
    assert "pages_left" in STATES["Extract"]["Output"]


def longest(retrier: dict[str, Any]) -> float:
    """Seconds that a retrier waits in all, if every wait is as long as it can be; with full jitter half of that on average."""
    waits = (retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n for n in range(retrier["MaxAttempts"]))
    return float(sum(min(wait, retrier["MaxDelaySeconds"]) for wait in waits))


@pytest.mark.parametrize("name", TASKS)
def test_permanent_failures_are_not_retried_and_all_others_are(name: str) -> None:
    permanent, *_, others = TASKS[name]["Retry"]
    assert permanent == {"ErrorEquals": PERMANENT, "MaxAttempts": 0}
    assert others["ErrorEquals"] == ["States.ALL"]
    assert {each["JitterStrategy"] for each in TASKS[name]["Retry"][1:]} == {"FULL"}


@pytest.mark.parametrize("name", sorted(TASKS.keys() - {"MarkFailed"}))
def test_an_outage_is_waited_out_for_minutes_and_a_fault_of_the_code_is_not(name: str) -> None:
    _, outage, fault = TASKS[name]["Retry"]
    assert outage["ErrorEquals"] == INFRASTRUCTURE
    assert {"Unavailable", "ProviderUnavailable", "Lambda.TooManyRequestsException"} <= set(INFRASTRUCTURE)
    assert outage["MaxDelaySeconds"] == 60
    assert longest(outage) / 2 > 150
    assert longest(fault) <= 30


def test_a_verdict_is_told_over_an_hour_long_and_ends_before_the_execution_does() -> None:
    _, retrier = TASKS["MarkFailed"]["Retry"]
    assert retrier["MaxDelaySeconds"] == 300
    assert longest(retrier) / 2 > 3600
    assert longest(retrier) < MACHINE["TimeoutSeconds"]


def test_an_execution_ends_after_three_hours_at_the_latest(aws: Template) -> None:
    deployed = json.loads(plain(aws.only("AWS::StepFunctions::StateMachine")["DefinitionString"]))
    assert deployed["TimeoutSeconds"] == 3 * 3600
    # Else the alarm on executions that timed out could never fire.
    (alarm,) = [each for each in aws.properties("AWS::CloudWatch::Alarm") if each.get("MetricName") == "ExecutionsTimedOut"]
    assert alarm["Threshold"] == 1


@pytest.mark.parametrize("name", ["Inspect", "Extract", "Chunk", "EmbedBatches", "Publish"])
def test_every_failure_is_told_and_ends_the_execution(name: str) -> None:
    (catch,) = STATES[name]["Catch"]
    assert catch["ErrorEquals"] == ["States.ALL"]
    assert catch["Next"] == "MarkFailed"
    assert STATES["MarkFailed"]["Next"] == "Failed"
    assert STATES["Failed"]["Type"] == "Fail"


def test_batches_run_four_at_a_time() -> None:
    assert STATES["EmbedBatches"]["MaxConcurrency"] == 4
    assert STATES["EmbedBatches"]["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}


def test_the_machine_is_jsonata_logged_and_traced(aws: Template) -> None:
    machine = aws.only("AWS::StepFunctions::StateMachine")
    deployed = json.loads(plain(machine["DefinitionString"]))
    assert deployed["QueryLanguage"] == "JSONata"
    assert list(deployed["States"]) == list(STATES)
    assert machine["TracingConfiguration"] == {"Enabled": True}
    assert machine["LoggingConfiguration"]["Level"] == "ALL"
