"""`python -m atrium.db migrate | status | new NAME`: the migrator by hand. Settings come from the environment.

`migrate` needs the master's login in DATABASE_USER and DATABASE_PASSWORD, and gives the roles the same password; it
declares no embedding spaces (the migrate function does, which knows the model data file).
"""

import argparse
import asyncio
import sys

from atrium.db.migrations import new_migration
from atrium.db.migrator import Migrator
from atrium.kernel.errors import AtriumError
from atrium.kernel.settings import load_settings


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; 1 with a message on standard error when it is refused."""
    options = _parser().parse_args(arguments)
    try:
        lines = asyncio.run(_run(options))
    except AtriumError as exc:
        sys.stderr.write(f"{exc.detail}\n")
        return 1
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m atrium.db", description="Migrations of the Atrium database.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("migrate", help="make the roles and run what is pending")
    verbs.add_parser("status", help="what ran and what would")
    verbs.add_parser("new", help="write the next migration file").add_argument("name")
    return parser


async def _run(options: argparse.Namespace) -> list[str]:
    if options.verb == "new":
        return [str(new_migration(options.name))]
    settings = load_settings()
    migrator = Migrator(settings)
    if options.verb == "migrate":
        await migrator.bootstrap(settings.database_user, settings.database_password)
        return [f"applied {label}" for label in await migrator.migrate()] or ["nothing to do"]
    done, waiting = await migrator.status()
    ran = [f"{each.applied_at:%Y-%m-%d %H:%M:%S%z}  {each.number:04}_{each.name}" for each in done]
    return ran + [f"{'pending':24}  {each.label}" for each in waiting]


if __name__ == "__main__":
    sys.exit(main())
