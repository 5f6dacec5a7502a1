"""What a model thought is output, also where a provider counts it in the total alone, as xAI does."""

from typing import Any

import pytest

from atrium.gateway.openai_answers import read_usage
from atrium.providers.base import Usage
from atrium.providers.openai_frames import counted


@pytest.mark.parametrize(
    ("told", "usage"),
    [
        ({"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 399}, Usage(12, 387, 0)),
        ({"prompt_tokens": 12, "completion_tokens": 387, "total_tokens": 399}, Usage(12, 387, 0)),
        ({"prompt_tokens": 12, "completion_tokens": 387}, Usage(12, 387, 0)),
        ({"prompt_tokens": 12, "completion_tokens": 387, "total_tokens": 0}, Usage(12, 387, 0)),
        ({"prompt_tokens": 12, "completion_tokens": 387, "total_tokens": -1}, None),
        ({"prompt_tokens": 12, "completion_tokens": 387, "total_tokens": "399"}, None),
    ],
)
def test_thinking_is_counted(told: dict[str, Any], usage: Usage | None) -> None:
    assert read_usage(told) == usage
    assert counted(told["prompt_tokens"], told["completion_tokens"], None, told.get("total_tokens")) == usage
