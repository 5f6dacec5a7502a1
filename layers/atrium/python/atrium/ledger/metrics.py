"""Under which names usage is told to the operator's monitoring: of those that the catalogue lists, so that they stay few.

A tenant may ask an open provider for whatever name it likes. Its own ledger keeps that; metrics of the whole deployment must not
grow with it, and it is nobody else's business.
"""

from functools import cache
from typing import Final

_OTHER: Final = "other"
# What is named so is named by the code, not by a request.
_OURS: Final = "local"


def metric_name(model: str) -> str:
    """The name of a model in metrics: its own where it is listed, else `provider/other`; of no provider of ours `other/other`."""
    provider = model.partition("/")[0]
    if provider == _OURS or model in listed():
        return model
    return f"{provider if provider in _providers() else _OTHER}/{_OTHER}"


@cache
def listed() -> frozenset[str]:
    """The names in the catalogue, `provider/name`."""
    from atrium.providers.catalogue import chat_specs, embedding_specs

    return frozenset((*chat_specs(), *embedding_specs()))


def _providers() -> frozenset[str]:
    from atrium.providers.catalogue import providers

    return frozenset(providers())
