"""The states of a document's way from bytes to searchable chunks, in Amazon States Language (JSONata).

Inspect → Extract (again while scanned pages are left) → Chunk → EmbedBatches (a batch whose vectors are stored is skipped)
→ Publish. Only keys travel: every step reads and writes its work in the bucket. Whatever fails for good is told to
`publish`, which marks the document failed.
"""

from typing import Any

State = dict[str, Any]

# Failures of the document itself (a typed reason for its owner) and of a document deleted meanwhile: a retry changes nothing.
PERMANENT = ["IngestionFailed", "NotFound"]
# A part is down or over its limits: what a wait mends.
INFRASTRUCTURE = [
    "Unavailable",
    "ProviderUnavailable",
    "Lambda.TooManyRequestsException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
]
TIMEOUT_SECONDS = 3 * 3600
_BATCHES_AT_ONCE = 4
# Of a scan, Extract reads as many pages as one invocation has time for. Nothing is left where it does not say so.
_PAGES_LEFT = '{% {"pages_left": $exists($states.result.Payload.pages_left) ? $states.result.Payload.pages_left : 0} %}'


def definition(*, extract: str, embed: str, publish: str) -> State:
    """The state machine; the arguments are function ARNs. Its input: tenant_id, document_id, version, attempt."""
    return {
        "Comment": "Atrium: one version of one document, from stored bytes to searchable chunks",
        "QueryLanguage": "JSONata",
        # An execution that hangs ends, which an alarm sees; without a limit it would be open for a year.
        "TimeoutSeconds": TIMEOUT_SECONDS,
        "StartAt": "Inspect",
        "States": {
            "Inspect": _step(extract, "inspect", "Extract"),
            "Extract": _step(extract, "extract", "PagesLeft") | {"Output": _PAGES_LEFT},
            "PagesLeft": {
                "Type": "Choice",
                "Choices": [{"Condition": "{% $states.input.pages_left > 0 %}", "Next": "Extract"}],
                "Default": "Chunk",
            },
            "Chunk": _step(embed, "chunk", "EmbedBatches") | {"Output": "{% $states.result.Payload %}"},
            "EmbedBatches": _embed_batches(embed),
            "Publish": _step(publish, "publish", "Ready"),
            "Ready": {"Type": "Succeed"},
            "MarkFailed": _mark_failed(publish),
            "Failed": {"Type": "Fail", "Error": "{% $failure.Error %}", "Cause": "{% $failure.Cause %}"},
        },
    }


def _step(function: str, step: str, following: str) -> State:
    return _invoke(function, f'{{"step": "{step}"}}') | {"Catch": _on_failure(), "Output": "{% {} %}", "Next": following}


def _embed_batches(embed: str) -> State:
    return {
        "Type": "Map",
        "Items": "{% $states.input.batches %}",
        "ItemSelector": {"batch": "{% $states.context.Map.Item.Value %}"},
        "MaxConcurrency": _BATCHES_AT_ONCE,
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "INLINE"},
            "StartAt": "Embed",
            "States": {
                "Embed": _invoke(embed, '{"step": "embed", "batch": $states.input.batch}') | {"Output": "{% {} %}", "End": True}
            },
        },
        "Catch": _on_failure(),
        "Output": "{% {} %}",
        "Next": "Publish",
    }


def _mark_failed(publish: str) -> State:
    """A version without a verdict looks busy to its owner, so the verdict is tried for well over an hour."""
    retriers = [_never(PERMANENT), _retrier(["States.ALL"], attempts=40, longest=300)]
    return _invoke(publish, '{"step": "fail", "error": $failure}') | {"Retry": retriers, "Next": "Failed"}


def _invoke(function: str, more: str) -> State:
    """Call a function with the execution's input and `more`, a JSONata object."""
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {
            "FunctionName": function,
            "Payload": f"{{% $merge([$states.context.Execution.Input, {more}]) %}}",
        },
        "Retry": [
            _never(PERMANENT),
            _retrier(INFRASTRUCTURE, attempts=10, longest=60),
            # Anything else is most likely ours, and stays: a crash, a timeout, a killed container.
            _retrier(["States.ALL"], attempts=4, longest=16),
        ],
    }


def _never(errors: list[str]) -> State:
    return {"ErrorEquals": errors, "MaxAttempts": 0}


def _retrier(errors: list[str], *, attempts: int, longest: int) -> State:
    """Waits of 2 s, 4 s, 8 s … up to `longest`, each anything between nothing and that."""
    return {
        "ErrorEquals": errors,
        "IntervalSeconds": 2,
        "BackoffRate": 2,
        "MaxDelaySeconds": longest,
        "MaxAttempts": attempts,
        "JitterStrategy": "FULL",
    }


def _on_failure() -> list[State]:
    # A variable, so that the reason is still there after `publish` has answered.
    failure = '{% {"Error": $states.errorOutput.Error, "Cause": $states.errorOutput.Cause} %}'
    return [{"ErrorEquals": ["States.ALL"], "Assign": {"failure": failure}, "Next": "MarkFailed"}]
