"""Which of several versions somebody gets: always the same one, in the shares of the weights.

Rendezvous hashing with weights: each version draws a number for the subject, and the best draw for its weight wins. A draw
depends on nothing but its version, so when weights change, subjects move only to what gained or away from what lost.
"""

import math
from collections.abc import Sequence
from hashlib import sha256
from typing import Final
from uuid import UUID

from atrium.prompts.models import Variant

_DRAWS: Final = 2**53  # as many as a float tells apart


def chosen(variants: Sequence[Variant], prompt_id: UUID, label: str, subject: str) -> int:
    """The version for `subject`. Shares are those of the weights; one of weight 0 is nobody's."""
    weighed = [variant for variant in variants if variant.weight > 0]
    return min(weighed, key=lambda variant: _rank(variant, f"{prompt_id}/{label}/{variant.version}/{subject}")).version


def _rank(variant: Variant, seed: str) -> float:
    # Exponentially distributed at the weight's rate: the least of several is each one's with the probability of its share.
    number = int.from_bytes(sha256(seed.encode("utf-8", "surrogatepass")).digest()[:7]) >> 3
    return -math.log((number + 1) / (_DRAWS + 1)) / variant.weight
