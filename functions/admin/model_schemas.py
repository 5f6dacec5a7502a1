"""The wire contracts of models and provider keys. Prices are US dollars for a million tokens."""

from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from atrium.gateway.tenant_models import ModelChange, ModelInfo, Override, OwnKey, ProviderInfo
from atrium.providers.catalogue import Capability, Price, Rates
from atrium.web.schemas import Reply, StrictModel, Timestamp

# A dollar for a million tokens, in nano-dollars a token.
_NANO: Final = 1000
_MAX_DOLLARS: Final = 100_000


def _whole(dollars: float) -> float:
    if abs(dollars * _NANO - round(dollars * _NANO)) > 1e-6:  # noqa: PLR2004  what a float may be off
        raise ValueError("has at most three decimal places")
    return dollars


Dollars = Annotated[float, Field(ge=0, le=_MAX_DOLLARS), AfterValidator(_whole)]


class OwnPriceIn(StrictModel):
    """What your own contract with the provider says, in dollars for a million tokens."""

    input: Dollars
    output: Dollars
    cached: Dollars | None = Field(default=None, description="Of input that the provider had read before; absent: as `input`.")

    @model_validator(mode="after")
    def _cached_is_no_dearer(self) -> Self:
        if self.cached is not None and self.cached > self.input:
            raise ValueError("cached input is not dearer than input")
        return self

    def rates(self) -> Rates:
        """In nano-dollars a token."""
        cached = self.input if self.cached is None else self.cached
        return Rates(round(self.input * _NANO), round(self.output * _NANO), round(cached * _NANO))


class ModelChangeIn(StrictModel):
    """What holds of one model from now on. With its defaults the model is as the catalogue has it again."""

    model: Annotated[str, Field(min_length=1, max_length=200, description="`provider/name`, or a listed model's bare name.")]
    enabled: bool = Field(default=True, description="false: calls of it answer `unknown-model`, and lists leave it out.")
    price: OwnPriceIn | None = Field(default=None, description="Counts where your own key of its provider is used.")
    note: Annotated[str, Field(max_length=500)] = ""

    def change(self) -> ModelChange:
        """For the service."""
        return ModelChange(self.model, self.enabled, self.price.rates() if self.price else None, self.note)


class ModelChangesIn(StrictModel):
    """The models to change; those not named stay as they are."""

    models: Annotated[list[ModelChangeIn], Field(min_length=1, max_length=100)]


class AdminRatesReply(Reply):
    """Dollars for a million tokens."""

    input: float
    output: float
    cached: float

    @classmethod
    def of(cls, rates: Rates) -> Self:
        """The wire form."""
        return cls(input=rates.input / _NANO, output=rates.output / _NANO, cached=rates.cached / _NANO)


class AdminLongRatesReply(AdminRatesReply):
    """What a request of more than `above` input tokens costs."""

    above: int


class AdminPriceReply(AdminRatesReply):
    """Dollars for a million tokens, as `source` said on `as_of`."""

    as_of: date
    source: str
    long: AdminLongRatesReply | None

    @classmethod
    def of_price(cls, price: Price) -> Self:
        """The wire form."""
        long = price.long and AdminLongRatesReply(**AdminRatesReply.of(price.long).model_dump(), above=price.above)
        rates = AdminRatesReply.of(Rates(price.input, price.output, price.cached))
        return cls(**rates.model_dump(), as_of=price.as_of, source=price.source, long=long)


class AdminOverrideReply(Reply):
    """What your organisation changed of a model."""

    enabled: bool
    price: AdminRatesReply | None
    note: str
    updated_at: Timestamp

    @classmethod
    def of(cls, override: Override) -> Self:
        """The wire form."""
        price = AdminRatesReply.of(override.price) if override.price else None
        return cls(enabled=override.enabled, price=price, note=override.note, updated_at=override.updated_at)


class AdminModelReply(Reply):
    """A model as your organisation has it. Sizes in tokens."""

    model: str
    kind: Literal["chat", "embedding"]
    provider: str
    context_window: int
    max_output: int | None
    dimensions: int | None
    capabilities: list[Capability]
    reasoning: bool
    price: AdminPriceReply = Field(description="That which holds for you.")
    retires: date | None
    retired: bool
    configured: bool = Field(description="Whether its provider has a key, yours or the deployment's.")
    own_key: bool
    enabled: bool
    override: AdminOverrideReply | None

    @classmethod
    def of(cls, info: ModelInfo) -> Self:
        """The wire form."""
        shown = {name: getattr(info, name) for name in cls.model_fields if name not in {"price", "override", "capabilities"}}
        return cls(
            **shown,
            capabilities=list(info.capabilities),
            price=AdminPriceReply.of_price(info.price),
            override=AdminOverrideReply.of(info.override) if info.override else None,
        )


class AdminProviderReply(Reply):
    """A provider as your organisation has it."""

    name: str
    label: str
    open: bool = Field(description="Whether it takes any model's name.")
    setting: str = Field(description="What gives the deployment's key, or address.")
    configured: bool
    own_key: bool

    @classmethod
    def of(cls, info: ProviderInfo) -> Self:
        """The wire form."""
        return cls.model_validate(info)


class AdminModelsReply(Reply):
    """The whole catalogue, also what is switched off."""

    models: list[AdminModelReply]
    providers: list[AdminProviderReply]


class ProviderKeyIn(StrictModel):
    """Your organisation's own key."""

    api_key: Annotated[str, Field(min_length=8, max_length=1000, pattern=r"^[!-~]+$", json_schema_extra={"writeOnly": True})]


class ProviderKeyReply(Reply):
    """Whether there is a key of your own. The key itself is never shown."""

    provider: str
    present: bool
    last_four: str | None = Field(description="Of a key long enough to tell them.")
    created_at: Timestamp | None
    updated_at: Timestamp | None

    @classmethod
    def of(cls, provider: str, key: OwnKey | None) -> Self:
        """The wire form."""
        if key is None:
            return cls(provider=provider, present=False, last_four=None, created_at=None, updated_at=None)
        return cls(
            provider=provider,
            present=True,
            last_four=key.last_four or None,
            created_at=key.created_at,
            updated_at=key.updated_at,
        )
