"""What a tenant says of models, and what it is told of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Literal, Self

from atrium.providers.catalogue import Capability, Price, Rates

# Models that one tenant may change: open providers have as many as one can name.
MAX_OVERRIDES: Final = 1000


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What holds of a model for the tenant. `price`, nano-dollars a token, counts where the tenant's own key is used."""

    model: str
    enabled: bool = True
    price: Rates | None = None
    note: str = ""

    @property
    def is_nothing(self) -> bool:
        """Whether it leaves the catalogue as it is."""
        return self.enabled and self.price is None and not self.note


@dataclass(frozen=True, slots=True)
class Override(ModelChange):
    """A change that is kept, since `updated_at`."""

    updated_at: datetime = field(kw_only=True)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """A row of model_overrides."""
        price = None if row["input_price"] is None else Rates(row["input_price"], row["output_price"], row["cached_price"])
        return cls(row["model"], row["enabled"], price, row["note"], updated_at=row["updated_at"])


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A tenant's own key of a provider, unreadable. `last_four` is empty for a key too short to show any of it."""

    provider: str
    sealed: bytes = field(repr=False)
    last_four: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """A row of provider_keys."""
        return cls(row["provider"], bytes(row["sealed"]), row["last_four"], row["created_at"], row["updated_at"])


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model as the tenant has it. `configured`: its provider has a key, the tenant's (`own_key`) or the platform's.

    Sizes in tokens; `max_output` is a chat model's, `dimensions` an embedding model's. `retired`: its provider serves it no
    longer, or another model under its name.
    """

    model: str
    kind: Literal["chat", "embedding"]
    provider: str
    context_window: int
    max_output: int | None
    dimensions: int | None
    capabilities: tuple[Capability, ...]
    reasoning: bool
    price: Price
    retires: date | None
    retired: bool
    configured: bool
    own_key: bool
    enabled: bool
    override: Override | None


@dataclass(frozen=True, slots=True)
class ProviderInfo:
    """A provider as the tenant has it. `open`: it takes any model's name; `setting` gives the platform's key or address."""

    name: str
    label: str
    open: bool
    setting: str
    configured: bool
    own_key: bool
