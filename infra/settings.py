"""What a deployer may choose: CDK context (`-c name=value`, or cdk.json), typed and validated before anything is built.

`target=local` additionally needs what the local cloud puts into the environment (ATRIUM_LOCAL_*); see `LocalCloud`.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Literal, Self

from constructs import Node
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from infra.packaging.places import ROOT, Places

PREFIX = "atrium"
"""Physical names start with it, on every target, so that logs and `make invoke` find a function by its area."""

# Of the 4,096 that a function's variables may have, names and all; the others take up to 2,000.
_MODELS_BYTES = 2000

# What CloudWatch Logs accepts.
RetentionDays = Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653]


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _words(value: object) -> object:
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def _packed(text: str) -> str:
    """The JSON without what is there for people, so that more fits."""
    if not text:
        return text
    try:
        given = json.loads(text)
    except ValueError as exc:
        raise ValueError(f"not JSON: {exc}") from exc
    packed = json.dumps(given, separators=(",", ":"), ensure_ascii=False)
    if (size := len(packed.encode())) > _MODELS_BYTES:
        raise ValueError(
            f"has {size} bytes without spaces, and {_MODELS_BYTES} fit beside a function's other variables (Lambda takes 4,096 "
            "in all): leave out fields that have their defaults, and models that an open provider answers without being listed"
        )
    return packed


Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$|^https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?$")]


class LocalCloud(BaseModel):
    """Where the local cloud's parts listen, read from ATRIUM_LOCAL_<FIELD>. One password serves every database role."""

    model_config = ConfigDict(frozen=True)

    db_host: str = "127.0.0.1"
    db_port: int
    db_name: str = "atrium"
    db_password: str = Field(repr=False)
    public_url: str
    s3_url: str
    aws_endpoint: str

    @classmethod
    def from_environment(cls) -> Self:
        """Read the environment; a missing variable is named in the error."""
        found = {field: os.environ.get(f"ATRIUM_LOCAL_{field.upper()}") for field in cls.model_fields}
        return cls.model_validate({field: value for field, value in found.items() if value is not None})


class Settings(BaseModel):
    """One deployment. Capacities in Aurora capacity units (ACU), durations in days, rates in requests a second."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Literal["local", "aws"] = "aws"

    # 0 lets Aurora pause when no connection is open; the first request then waits about 15 s.
    aurora_min_capacity: float = Field(default=0.5, ge=0, le=256)
    aurora_max_capacity: float = Field(default=8, ge=1, le=256)
    backup_retention: int = Field(default=14, ge=1, le=35)

    alarm_email: str = Field(default="", pattern=r"^$|^[^@\s]+@[^@\s]+$")
    log_retention: Annotated[RetentionDays, BeforeValidator(_number)] = 90
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # The URL that clients use when it is not the API's own: a custom domain mapped to it.
    public_url: str = Field(default="", pattern=r"^$|^https://[^\s/]+(/\S*)?$")
    # Exact origins, as the functions want them too (kernel/settings.py).
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(_words)] = ()
    # Who invitations and password resets come from; its identity must be verified in SES.
    mail_from: str = Field(default="", pattern=r"^$|^[^@\s]+@[^@\s]+$")
    throttle_rate: int = Field(default=1000, ge=1)
    throttle_burst: int = Field(default=2000, ge=1)

    registration: Literal["", "open", "invite", "closed"] = ""
    chat_model: str = "local/extractive"
    embedding_model: str = "local/all-minilm-l6-v2"
    # Providers and models of the deployment's own, as JSON; docs/configuration.md has its shape.
    models: Annotated[str, Field(pattern=r"^$|^\s*\{"), AfterValidator(_packed)] = ""
    openai_base_url: str = "https://api.openai.com/v1"

    # A model that looks once more at what a search with `rerank` found: `local/relevance`. Empty: none.
    reranker: str = ""
    # Chunks of a tenant in one embedding space from which on it gets a vector index of its own.
    index_threshold: int = Field(default=20_000, ge=1)
    # Requests a second per user or key, and per tenant; a minute per address, on routes without credentials.
    rate_limit_principal: int = Field(default=50, ge=1)
    rate_limit_tenant: int = Field(default=200, ge=1)
    rate_limit_public: int = Field(default=20, ge=1)
    # What a new tenant may spend a month on models, in US dollars.
    default_monthly_budget_usd: float = Field(default=20, ge=0, le=1_000_000)

    # Scanned pages of one document that OCR reads; 0: none.
    ocr_max_pages: int = Field(default=500, ge=0, le=2000)

    # Minutes between two looks at stuck documents and open erasures. 0: 5, or 60 where Aurora may pause, which a look ends.
    sweep_minutes: int = Field(default=0, ge=0, le=1440)

    # Documents that are ingested side by side; 2 is the least that SQS's event source mapping takes.
    ingest_concurrency: int = Field(default=10, ge=2, le=1000)
    # Documents of one tenant that are processed side by side; the others wait their turn. 0: 16, on a laptop 4.
    ingest_in_flight: int = Field(default=0, ge=0, le=10_000)
    # Whether a file that is deleted from the drop folder takes its document along.
    drop_delete: Literal["ignore", "mirror"] = "ignore"

    # Where `python -m infra.packaging` has built; the target decides when it is empty.
    build_dir: str = ""

    @model_validator(mode="after")
    def _capacities_in_order(self) -> Self:
        if self.aurora_min_capacity > self.aurora_max_capacity:
            raise ValueError("aurora_min_capacity is over aurora_max_capacity")
        return self

    @property
    def local(self) -> bool:
        """Whether this is the stack of the local cloud."""
        return self.target == "local"

    @property
    def documents_in_flight(self) -> int:
        """Documents of one tenant that are processed side by side: a laptop's processors are shared by all its workers."""
        return self.ingest_in_flight or (4 if self.local else 16)

    @property
    def sweep_interval(self) -> int:
        """Minutes between two sweeps."""
        pauses = not self.local and self.aurora_min_capacity == 0
        return self.sweep_minutes or (60 if pauses else 5)

    @property
    def registration_mode(self) -> str:
        """Who may register: everyone on a laptop, the invited in an account, unless said otherwise."""
        return self.registration or ("open" if self.local else "invite")

    @property
    def build(self) -> Path:
        """The folder of built layers and functions."""
        return Path(self.build_dir).resolve() if self.build_dir else Places("local" if self.local else "lambda-arm64", ROOT).build


def read_settings(node: Node) -> Settings:
    """The deployment's settings from the app's context; ends with one line per wrong value."""
    given = {name: value for name in Settings.model_fields if (value := node.try_get_context(name)) is not None}
    try:
        return Settings.model_validate(given)
    except ValidationError as exc:
        raise SystemExit(_explain(exc, "context")) from exc


def read_local_cloud() -> LocalCloud:
    """The local cloud's endpoints; ends with one line per missing or wrong variable."""
    try:
        return LocalCloud.from_environment()
    except ValidationError as exc:
        raise SystemExit(_explain(exc, "ATRIUM_LOCAL_*")) from exc


def _explain(exc: ValidationError, where: str) -> str:
    wrong = (
        f"{where}: {'.'.join(map(str, error['loc'])) or 'settings'}: {error['msg']}" for error in exc.errors(include_input=False)
    )
    return "\n".join(wrong)
