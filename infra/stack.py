"""Atrium as one stack. Read top down, it is the picture in docs/architecture.md."""

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra.api import Api
from infra.artifacts import Artifacts
from infra.dashboard import Dashboard
from infra.database import Aurora, Database, EmbeddedPostgres
from infra.events import Events
from infra.functions import Functions
from infra.housekeeping import Housekeeping
from infra.ingestion import Ingestion
from infra.mail import Mail
from infra.migration import Migration
from infra.monitoring import Monitoring
from infra.network import Network
from infra.secrets import JWKS, KEYRING, OPERATOR, PROVIDERS, Secrets
from infra.settings import LocalCloud, Settings
from infra.storage import Storage
from infra.workflows import DocumentPipeline


class AtriumStack(Stack):
    """`local` is given on the local cloud only: embedded Postgres takes Aurora's place, and there is no network."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, local: LocalCloud | None = None) -> None:
        super().__init__(scope, name, description="Atrium: tenants, documents, retrieval, answers with verified citations")
        network = None if local else Network(self, "Network", settings=settings)
        database: Database = (
            EmbeddedPostgres(local) if local else Aurora(self, "Database", settings=settings, network=_there(network))
        )

        storage = Storage(self, "Storage", settings=settings)
        events = Events(self, "Events")
        ingestion = Ingestion(self, "Ingestion", bucket=storage.bucket, settings=settings)
        api = Api(self, "Api", settings=settings, local=local)

        functions = Functions(
            self,
            "Functions",
            settings=settings,
            artifacts=Artifacts(self, "Artifacts", settings=settings),
            database=database,
            network=network,
            environment=_environment(settings, local, storage, events, ingestion, api),
        )
        Secrets(self, "Secrets", functions=functions)
        Mail(self, "Mail", settings=settings, functions=functions)
        storage.allow(functions)

        pipeline = DocumentPipeline(self, "DocumentPipeline", settings=settings, functions=functions)
        ingestion.feed(functions, settings)
        api.serve(functions)
        Migration(self, "Migration", settings=settings, functions=functions, database=database)

        housekeeping = Housekeeping(self, "Housekeeping", settings=settings, functions=functions)

        monitoring = Monitoring(self, "Monitoring", settings=settings)
        monitoring.watch_dead_letters(ingestion.dead_letters | events.dead_letters | housekeeping.dead_letters)
        monitoring.watch_pipeline(pipeline.machine, functions)
        monitoring.watch_money(functions)
        monitoring.watch_functions(functions)
        monitoring.watch_api(api.rest)

        self._show(api, functions, pipeline, ingestion, events, database)
        self._outputs(
            {
                "ApiUrl": api.url,
                "PublicUrl": api.public_url,
                "BucketName": storage.bucket.bucket_name,
                "IngestQueueUrl": ingestion.queue.queue_url,
                "IngestDlqUrl": ingestion.dead_letters["Ingest"].queue_url,
                "OutboxQueueUrl": events.outbox_queue.queue_url,
                "PipelineArn": pipeline.machine.state_machine_arn,
                "EventBusName": events.bus.event_bus_name,
                "AlarmTopicArn": monitoring.topic.topic_arn,
                **{f"{name.capitalize()}FunctionName": each.function_name for name, each in functions.all().items()},
            }
        )

    def _show(
        self,
        api: Api,
        functions: Functions,
        pipeline: DocumentPipeline,
        ingestion: Ingestion,
        events: Events,
        database: Database,
    ) -> None:
        dashboard = Dashboard(self, "Dashboard")
        dashboard.show_api(api.rest)
        dashboard.show_models(functions)
        dashboard.show_documents(
            pipeline.machine, {"Ingest": ingestion.queue, "Outbox": events.outbox_queue}, ingestion.dead_letters
        )
        dashboard.show_functions(functions)
        if isinstance(database, Aurora):
            dashboard.show_database(database.cluster.cluster_identifier)

    def _outputs(self, values: dict[str, str]) -> None:
        for name, value in values.items():
            CfnOutput(self, name, value=value)


def _there(network: Network | None) -> Network:
    if network is None:
        raise ValueError("an account's database needs a network")
    return network


def _environment(
    settings: Settings, local: LocalCloud | None, storage: Storage, events: Events, ingestion: Ingestion, api: Api
) -> dict[str, str]:
    """What every function is told: the names of kernel/settings.py."""
    everywhere = {
        "ATRIUM_TARGET": settings.target,
        "LOG_LEVEL": settings.log_level,
        "BUCKET": storage.bucket.bucket_name,
        "INGEST_QUEUE_URL": ingestion.queue.queue_url,
        "OUTBOX_QUEUE_URL": events.outbox_queue.queue_url,
        "EVENT_BUS": events.bus.event_bus_name,
        "INGEST_DLQ_URL": ingestion.dead_letters["Ingest"].queue_url,
        "KEYRING_SECRET": KEYRING,
        "JWKS_SECRET": JWKS,
        "OPERATOR_SECRET": OPERATOR,
        "PROVIDER_SECRET_PREFIX": PROVIDERS,
        "PUBLIC_URL": api.public_url,
        "INGEST_IN_FLIGHT": str(settings.documents_in_flight),
        "DROP_DELETE": settings.drop_delete,
        "REGISTRATION": settings.registration_mode,
        "CORS_ORIGINS": ",".join(settings.cors_origins),
        "MAIL_FROM": settings.mail_from,
        "CHAT_MODEL": settings.chat_model,
        "EMBEDDING_MODEL": settings.embedding_model,
        "OPENAI_BASE_URL": settings.openai_base_url,
        "MODELS": settings.models,
        "OCR_MAX_PAGES": str(settings.ocr_max_pages),
        "RERANKER": settings.reranker,
        "INDEX_THRESHOLD": str(settings.index_threshold),
        "RATE_LIMIT_PRINCIPAL": str(settings.rate_limit_principal),
        "RATE_LIMIT_TENANT": str(settings.rate_limit_tenant),
        "RATE_LIMIT_PUBLIC": str(settings.rate_limit_public),
        "DEFAULT_MONTHLY_BUDGET_USD": str(settings.default_monthly_budget_usd),
    }
    if not local:
        return everywhere | {"MODEL_DIR": "/opt/model", "OCR_DATA_DIR": "/opt/tessdata"}
    # The emulator's workers see no /opt, and must be told where it listens.
    layers = settings.build / "layers"
    data = {"MODEL_DIR": str(layers / "embed" / "model"), "OCR_DATA_DIR": str(layers / "ocr" / "tessdata")}
    return everywhere | data | {"AWS_ENDPOINT_URL": local.aws_endpoint, "S3_PUBLIC_URL": local.s3_url}
