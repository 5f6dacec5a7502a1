"""The area `openai` as Lambda Web Adapter and the edge serve it: uvicorn, one process; secrets in memory, all else as deployed.

Reads {"settings", "port", "upstream"} from stdin, prints a tenant's API key as JSON when it is about to listen.
"""

import asyncio
import json
import sys
from typing import Any

import uvicorn
import uvloop

from atrium.db import Database
from atrium.kernel.settings import Settings
from functions.auth.app import create_app as create_auth
from functions.openai.app import create_app
from tests.factories.auth import UNLIMITED, LocalRuntime, client, make_key, register


async def _key(runtime: LocalRuntime) -> str:
    async with client(create_auth(runtime)) as http:
        return str((await make_key(http, await register(http)))["key"])


async def _serve(plan: dict[str, Any]) -> None:
    settings = Settings(**plan["settings"])
    runtime = LocalRuntime(settings, Database(settings), **UNLIMITED)
    secret = json.dumps({"api_key": "sk-of-the-platform", "base_url": plan["upstream"]})
    runtime.memory_secrets.values["atrium/providers/openai"] = secret
    print(json.dumps({"key": await _key(runtime)}), flush=True)
    config = uvicorn.Config(create_app(runtime), "127.0.0.1", plan["port"], access_log=False, log_level="warning")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # as uvicorn does where run.sh starts it
        runner.run(_serve(json.load(sys.stdin)))
