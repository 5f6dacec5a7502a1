"""Lambda entry of `migrate`: the stack's trigger invokes it before any other function may run, `make migrate` by hand."""

from dataclasses import asdict

from atrium.db.migrator import Migrator, Space
from atrium.ports.logins import iam_password
from atrium.providers.catalogue import embedding_spaces
from atrium.runtime import run, runtime
from functions.migrate.deployment import prepare


def handler(event: object, context: object) -> dict[str, object]:  # noqa: ARG001  nothing in them decides anything
    """Prepare the deployment; what was done, as JSON."""
    parts = runtime()
    settings = parts.settings
    password = None if settings.database_password else iam_password(settings.database_host, settings.database_port)
    spaces = [Space(*each) for each in embedding_spaces()]
    return asdict(run(prepare(settings, parts.secrets, Migrator(settings, password=password), spaces)))
