"""Migration files: `migrations/NNNN_what.sql`, numbered from 1 without gaps, never changed once released."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, LiteralString, Self

from atrium.kernel.errors import AtriumError

FOLDER: Final = Path(__file__).parent / "migrations"
_FILE: Final = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9]+(?:_[a-z0-9]+)*)\.sql")
_TEMPLATE: Final = """-- What this migration is for, in a sentence. It runs in one transaction, while the old code still serves:
-- add, then use, then remove later. Every table with tenant_id: keys lead with it, CALL atrium.protect('atrium.<table>').
"""


class MigrationRefused(AtriumError):
    """The migration files and the database do not fit together; nothing was changed."""

    code = "migration-refused"
    title = "Migration refused"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is SHA-256 of its bytes."""

    number: int
    name: str
    sql: LiteralString
    checksum: bytes

    @property
    def label(self) -> str:
        """The file's name without `.sql`."""
        return f"{self.number:04}_{self.name}"


@dataclass(frozen=True, slots=True)
class Applied:
    """A migration that the database says has run."""

    number: int
    name: str
    checksum: bytes
    applied_at: datetime

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """From a row of atrium_meta.migrations."""
        return cls(row["number"], row["name"], row["checksum"], row["applied_at"])


def read_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """All files in order. Raises MigrationRefused for a name that does not fit, a gap or a number used twice."""
    migrations = tuple(_read(path) for path in sorted(folder.glob("*.sql")))
    for expected, migration in enumerate(migrations, start=1):
        if migration.number != expected:
            raise MigrationRefused(f"migration {expected:04} is missing or there twice: found {migration.label}")
    return migrations


def pending(migrations: tuple[Migration, ...], applied: Iterable[Applied]) -> tuple[Migration, ...]:
    """What is left to run. Raises MigrationRefused when the database ran something that these files do not say."""
    done = tuple(applied)
    if len(done) > len(migrations):
        raise MigrationRefused(
            f"the database is at {done[-1].number:04}_{done[-1].name}, newer than this code: deploy that or later code"
        )
    for expected, (migration, ran) in enumerate(zip(migrations, done, strict=False), start=1):
        if ran.number != expected:
            raise MigrationRefused(f"the database did not run migration {expected:04}, but ran {ran.number:04}_{ran.name}")
        if ran.checksum != migration.checksum:
            raise MigrationRefused(f"{migration.label} was changed after it ran here: undo that, and write a new migration")
    return migrations[len(done) :]


def new_migration(name: str, folder: Path = FOLDER) -> Path:
    """Write the next file, with a reminder of the rules in it. `name` is in words or in snake_case."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    path = folder / f"{len(read_migrations(folder)) + 1:04}_{slug}.sql"
    if not _FILE.fullmatch(path.name):
        raise MigrationRefused(f"{name!r} is not a name: use letters and digits")
    path.write_text(_TEMPLATE, encoding="utf-8")
    return path


def _read(path: Path) -> Migration:
    match = _FILE.fullmatch(path.name)
    if match is None:
        raise MigrationRefused(f"{path.name} is not named like 0003_what.sql")
    content = path.read_bytes()
    return Migration(int(match["number"]), match["name"], content.decode(), hashlib.sha256(content).digest())
