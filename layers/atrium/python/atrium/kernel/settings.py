"""Every environment variable that Atrium reads, typed and validated at cold start. Nothing else reads the environment.

Secrets are never here: a setting names the secret, the secret store holds it. docs/configuration.md is the
reader's copy of this file; a test keeps the two equal.
"""

import os
from functools import cache
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _words(value: object) -> object:
    """`a, b` as a variable has it; anything else is left to the type."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


# Scheme, host and port as a browser sends them: lower case, no path, and never `*`.
Origin = Annotated[str, Field(pattern=r"^https?://[a-z0-9.-]+(:[0-9]{1,5})?$|^https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?$")]


class Settings(BaseModel):
    """One deployment's settings. Durations in seconds, sizes in bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    target: Literal["local", "aws"] = Field(default="local", validation_alias="ATRIUM_TARGET")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    database_host: str = "127.0.0.1"
    database_port: int = 5432
    database_name: str = "atrium"
    database_user: str = "atrium_app"
    # Empty on AWS, where every function logs in with a 15-minute IAM token; the local cloud makes a random one.
    database_password: str = Field(default="", repr=False)
    database_sslmode: Literal["disable", "require", "verify-full"] = "disable"
    # 0: one lazy connection per container (Lambda). More: a pool of that size (the edge, tests).
    database_pool_size: int = Field(default=0, ge=0, le=100)
    database_statement_timeout: float = Field(default=25, gt=0)
    # migrate only: the secret that holds Aurora's master login; empty where the password above is the master's.
    database_master_secret: str = ""

    bucket: str = "atrium"
    ingest_queue_url: str = ""
    ingest_dlq_url: str = ""
    outbox_queue_url: str = ""
    pipeline_arn: str = ""
    event_bus: str = ""
    # Where a browser or curl reaches S3, if not where the SDK does (the emulator): presigned URLs carry it.
    s3_public_url: str = ""

    keyring_secret: str = "atrium/keyring"
    jwks_secret: str = "atrium/jwks"
    operator_secret: str = "atrium/operator"
    provider_secret_prefix: str = "atrium/providers/"

    public_url: str = "http://127.0.0.1:8080"
    token_issuer: str = "atrium"
    token_audience: str = "atrium-api"
    access_token_ttl: int = Field(default=600, ge=60, le=3600)
    registration: Literal["open", "invite", "closed"] = "open"
    # Exact origins, `https://app.example.com`: pages of these may call, with credentials.
    cors_origins: Annotated[tuple[Origin, ...], BeforeValidator(_words)] = ()
    # Who mails come from, an identity verified in SES. On the local cloud nothing is mailed: tokens are in the answers.
    mail_from: str = Field(default="", pattern=r"^$|^[^@\s]+@[^@\s]+$")

    rate_limit_principal: int = Field(default=50, ge=1)
    rate_limit_tenant: int = Field(default=200, ge=1)
    rate_limit_public: int = Field(default=20, ge=1)
    # What a new tenant may spend a month, in US dollars; the operator can give it another budget. 0: what is free alone.
    default_monthly_budget_usd: float = Field(default=20, ge=0, le=1_000_000)

    upload_limit: int = Field(default=4 * 1024 * 1024, ge=1)
    body_limit: int = Field(default=1024 * 1024, ge=1)
    # Chats carry pictures and files.
    chat_body_limit: int = Field(default=6 * 1024 * 1024, ge=1)
    document_limit: int = Field(default=100 * 1024 * 1024, ge=1)
    # How many of one tenant's documents are processed at once; the others wait their turn.
    ingest_in_flight: int = Field(default=16, ge=1)
    # What becomes of a document whose file is deleted from the drop folder: nothing, or it is deleted too.
    drop_delete: Literal["ignore", "mirror"] = "ignore"

    chat_model: str = "local/extractive"
    # Seconds for one answer of the gateway, retries and other models included.
    chat_timeout: float = Field(default=300, gt=0, le=890)
    embedding_model: str = "local/all-minilm-l6-v2"
    # A model that looks once more at what a search found, when asked to: `local/relevance`. Empty: none.
    reranker: str = ""
    # Chunks of a tenant in one embedding space from which on housekeeping gives it an HNSW index of its own.
    index_threshold: int = Field(default=20_000, ge=1)
    model_dir: str = "/opt/model"
    # Providers and models beside those of providers/models.json, in its shape, as JSON.
    models: str = ""
    # Scanned pages: what Tesseract knows of its languages, and how many pages of one document are read (0: none).
    ocr_data_dir: str = "/opt/tessdata"
    ocr_max_pages: int = Field(default=500, ge=0)
    openai_base_url: str = "https://api.openai.com/v1"
    sse_heartbeat: float = Field(default=15, gt=0)


@cache
def load_settings() -> Settings:
    """The process's settings, read once; a wrong value stops the cold start with a message that names it."""
    # By hand, because pydantic-settings adds 30 ms to every cold start with its command line, files and nesting.
    variables = {name: str(field.validation_alias or name.upper()) for name, field in Settings.model_fields.items()}
    return Settings.model_validate({name: os.environ[each] for name, each in variables.items() if each in os.environ})
