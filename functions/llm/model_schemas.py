"""The wire contract of the list of models."""

from datetime import date
from typing import Literal, Self

from atrium.gateway.tenant_models import ModelInfo
from atrium.providers.catalogue import Price
from atrium.web.schemas import Reply

# A nano-dollar a token is a thousandth of a dollar for a million.
_PER_MILLION = 1000


class LlmPriceOut(Reply):
    """US dollars for a million tokens, as the page at `source` said on `as_of`."""

    input: float
    output: float
    cached: float
    as_of: date
    source: str

    @classmethod
    def of(cls, price: Price) -> Self:
        """The wire form."""
        each = {name: getattr(price, name) / _PER_MILLION for name in ("input", "output", "cached")}
        return cls(**each, as_of=price.as_of, source=price.source)


class LlmModelOut(Reply):
    """A model. Sizes in tokens; `max_output` is a chat model's, `dimensions` an embedding model's.

    `available`: its provider has a key here, the deployment's or your own (`own_key`). `retired`: its provider serves it no more.
    """

    id: str
    kind: Literal["chat", "embedding"]
    provider: str
    context_window: int
    max_output: int | None
    dimensions: int | None
    capabilities: list[str]
    reasoning: bool
    price: LlmPriceOut
    retires: date | None
    retired: bool
    available: bool
    own_key: bool

    @classmethod
    def of(cls, info: ModelInfo) -> Self:
        """The wire form."""
        return cls(
            id=info.model,
            kind=info.kind,
            provider=info.provider,
            context_window=info.context_window,
            max_output=info.max_output,
            dimensions=info.dimensions,
            capabilities=[each.value for each in info.capabilities],
            reasoning=info.reasoning,
            price=LlmPriceOut.of(info.price),
            retires=info.retires,
            retired=info.retired,
            available=info.configured,
            own_key=info.own_key,
        )


class LlmModelsOut(Reply):
    """Every model that your organisation has, chat before embedding. Servers of your own may serve others, too."""

    data: list[LlmModelOut]
