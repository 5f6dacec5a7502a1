"""`python -m infra.local up|down|reset|status|logs|invoke|migrate|migrate-status`: what the Makefile's local commands run."""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable

from infra.local import cloud
from infra.local.console import console
from infra.local.deploy import database_environment
from infra.local.edge.launch import attach_edge
from infra.local.emulator import attach_emulator
from infra.local.invoke import invoke, load_event
from infra.local.logs import read_logs
from infra.local.postgres import attach_postgres
from infra.local.state import CLONE, LocalCloudError, default_state_dir


def up(options: argparse.Namespace) -> int:
    """Start everything, and show it working."""
    from infra.local import demo

    running = cloud.start(default_state_dir(), port=options.port)
    if not options.no_demo:
        demo.show_account(running, demo.run_demo(running))
    return 0


def down(_: argparse.Namespace) -> int:
    """Stop everything, keep the data."""
    stopped = cloud.stop(default_state_dir())
    console.print(f"Stopped: {', '.join(stopped)}. Its data stays; make up continues." if stopped else "Nothing runs.")
    return 0


def reset(_: argparse.Namespace) -> int:
    """Stop everything, delete the data."""
    cloud.reset(default_state_dir())
    console.print(f"Stopped, and {default_state_dir()} is deleted.")
    return 0


def status(_: argparse.Namespace) -> int:
    """What runs, and where."""
    home = default_state_dir()
    parts = {"postgres": attach_postgres(home / "postgres"), "emulator": attach_emulator(home), "edge": attach_edge(home)}
    for name, part in parts.items():
        console.print(f"{name:10} " + (f"127.0.0.1:{part.port}, pid {part.process.pid}" if part else "does not run"))
    console.print(f"{'state':10} {home}" if home.exists() else "Nothing is kept here; make up starts anew.")
    return 0


def logs(options: argparse.Namespace) -> int:
    """Print recent log lines."""
    for line in read_logs(default_state_dir(), options.source):
        console.print(line, markup=False)
    return 0


def invoke_event(options: argparse.Namespace) -> int:
    """Send an event file to its function and print the reply; 1 when the function failed."""
    function, event = load_event(options.event)
    return _show(function, event)


def operator_key(_: argparse.Namespace) -> int:
    """Print the operator's API key, alone on a line: for /metrics, and for registering in every mode."""
    client = cloud.attach(default_state_dir()).emulator.client("secretsmanager")
    sys.stdout.write(client.get_secret_value(SecretId="atrium/operator")["SecretString"] + "\n")
    return 0


def migrate(_: argparse.Namespace) -> int:
    """Run the deployed migrate function."""
    return _show("migrate", {})


def _show(function: str, event: object) -> int:
    reply = invoke(cloud.attach(default_state_dir()).emulator, function, event)
    console.print(json.dumps(reply.payload, indent=2, ensure_ascii=False), markup=False)
    return 1 if reply.error else 0


def migrate_status(_: argparse.Namespace) -> int:
    """Which migrations the database has."""
    server = attach_postgres(default_state_dir() / "postgres")
    if server is None:
        raise LocalCloudError("Postgres does not run. Start it with: make up")
    environment = os.environ | database_environment(server, "atrium_migrator")
    return subprocess.run([sys.executable, "-m", "atrium.db", "status"], env=environment, check=False).returncode


def main(arguments: list[str] | None = None) -> int:
    """Run one verb. Expected failures are one message on standard error, and 1."""
    options = _parser().parse_args(arguments)
    verb: Callable[[argparse.Namespace], int] = options.verb
    try:
        return verb(options)
    except LocalCloudError as error:
        sys.stderr.write(f"\n{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("\nInterrupted; what was started keeps running (make down stops it).\n")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local", description="The local cloud.")
    verbs = parser.add_subparsers(required=True)

    def add(name: str, verb: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=(verb.__doc__ or "").splitlines()[0])
        made.set_defaults(verb=verb)
        return made

    starting = add("up", up)
    starting.add_argument("--port", type=int, default=int(os.environ.get("ATRIUM_PORT") or cloud.DEFAULT_PORT))
    starting.add_argument("--no-demo", action="store_true", help="start only")
    add("down", down)
    add("reset", reset)
    add("status", status)
    add("logs", logs).add_argument("source", nargs="?", default="all")
    add("invoke", invoke_event).add_argument("event", type=lambda given: (CLONE / given).resolve())
    add("operator-key", operator_key)
    add("migrate", migrate)
    add("migrate-status", migrate_status)
    return parser


if __name__ == "__main__":
    sys.exit(main())
