"""`python -S -P -m infra.local.edge CONFIG`: serve until SIGTERM. CONFIG is the JSON that launch.py writes."""

import importlib
import json
import sys
from pathlib import Path

import uvicorn

from infra.local.edge.app import Edge, StreamingApp
from infra.local.edge.proxy import Proxy


def load_app(name: str, bundles: list[str]) -> StreamingApp:
    """`functions.<name>.app.create_app()`, from the bundles alone."""
    functions = importlib.import_module("functions")
    functions.__path__ = [str(Path(bundle) / "functions") for bundle in bundles]
    app: StreamingApp = importlib.import_module(f"functions.{name}.app").create_app()
    return app


def main() -> None:
    """Build the edge from its configuration and serve it."""
    config = json.loads(Path(sys.argv[1]).read_text())
    apps = {name: load_app(name, config["bundles"]) for name in config["areas"]}
    edge = Edge(apps, Proxy(config["upstream"], config["base"]))
    uvicorn.run(
        edge,
        host="127.0.0.1",
        port=config["port"],
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    main()
