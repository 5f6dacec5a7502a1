"""Lambda entry of `migrate`: the stack's trigger invokes it before any other function may run, `make migrate` by hand."""

import logging
from dataclasses import asdict
from typing import Final

from atrium.db.migrator import Migrator, Space
from atrium.ports.logins import iam_password
from atrium.providers.catalogue import embedding_spaces
from atrium.runtime import Runtime, worker_handler
from functions.migrate.deployment import prepare

_log: Final = logging.getLogger("atrium.migrate")


@worker_handler("migrate")
async def handler(parts: Runtime, _event: object) -> dict[str, object]:
    """Prepare the deployment; what was done, as JSON."""
    settings = parts.settings
    password = None if settings.database_password else iam_password(settings.database_host, settings.database_port)
    spaces = [Space(*each) for each in embedding_spaces()]
    try:
        report = asdict(await prepare(settings, parts.secrets, Migrator(settings, password=password), spaces))
    except Exception:
        _log.exception("not prepared")
        raise
    _log.info("prepared", extra=report)
    return report
