"""The states of a document's way from bytes to searchable chunks, in Amazon States Language (JSONata).

Inspect → Extract → Chunk → EmbedBatches (a batch whose vectors are stored is skipped) → Publish. Only keys travel: every
step reads and writes its work in the bucket. Whatever fails for good is told to `publish`, which marks the document failed.
"""

from typing import Any

State = dict[str, Any]

# Failures of the document itself (a typed reason for its owner) and of a document deleted meanwhile: a retry changes nothing.
PERMANENT = ["IngestionFailed", "NotFound"]
_SECONDS = 2
_ATTEMPTS = 4
_BATCHES_AT_ONCE = 4


def definition(*, extract: str, embed: str, publish: str) -> State:
    """The state machine; the arguments are function ARNs. Its input: tenant_id, document_id, version, attempt."""
    return {
        "Comment": "Atrium: one version of one document, from stored bytes to searchable chunks",
        "QueryLanguage": "JSONata",
        "StartAt": "Inspect",
        "States": {
            "Inspect": _step(extract, "inspect", "Extract"),
            "Extract": _step(extract, "extract", "Chunk"),
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
    return _invoke(publish, '{"step": "fail", "error": $failure}') | {"Next": "Failed"}


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
            {"ErrorEquals": PERMANENT, "MaxAttempts": 0},
            {
                "ErrorEquals": ["States.ALL"],
                "IntervalSeconds": _SECONDS,
                "BackoffRate": 2,
                "MaxAttempts": _ATTEMPTS,
                "JitterStrategy": "FULL",
            },
        ],
    }


def _on_failure() -> list[State]:
    # A variable, so that the reason is still there after `publish` has answered.
    failure = '{% {"Error": $states.errorOutput.Error, "Cause": $states.errorOutput.Cause} %}'
    return [{"ErrorEquals": ["States.ALL"], "Assign": {"failure": failure}, "Next": "MarkFailed"}]
