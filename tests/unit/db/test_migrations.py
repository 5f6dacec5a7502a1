import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from atrium.db.__main__ import main
from atrium.db.migrations import Applied, Migration, MigrationRefused, new_migration, pending, read_migrations

TRANSACTION_CONTROL = re.compile(r"^\s*(BEGIN|COMMIT|ROLLBACK|START TRANSACTION)\b", re.IGNORECASE | re.MULTILINE)


def write(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_text(f"SELECT '{name}';")


def applied(*migrations: Migration) -> list[Applied]:
    return [Applied(each.number, each.name, each.checksum, datetime(2026, 1, 1, tzinfo=UTC)) for each in migrations]


def test_files_are_read_in_order(tmp_path: Path) -> None:
    write(tmp_path, "0002_b.sql", "0001_a_1.sql", "0003_c.sql")
    assert [migration.label for migration in read_migrations(tmp_path)] == ["0001_a_1", "0002_b", "0003_c"]


@pytest.mark.parametrize("names", [["0002_b.sql"], ["0001_a.sql", "0003_c.sql"], ["0001_a.sql", "0001_b.sql"], ["0000_a.sql"]])
def test_gaps_and_doubles_are_refused(tmp_path: Path, names: list[str]) -> None:
    write(tmp_path, *names)
    with pytest.raises(MigrationRefused, match="missing or there twice"):
        read_migrations(tmp_path)


@pytest.mark.parametrize("name", ["1_a.sql", "0001-a.sql", "0001_A.sql", "0001_.sql", "a.sql"])
def test_other_names_are_refused(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    with pytest.raises(MigrationRefused, match="is not named like"):
        read_migrations(tmp_path)


def test_what_did_not_run_is_pending(tmp_path: Path) -> None:
    write(tmp_path, "0001_a.sql", "0002_b.sql", "0003_c.sql")
    migrations = read_migrations(tmp_path)
    assert pending(migrations, []) == migrations
    assert pending(migrations, applied(*migrations[:2])) == migrations[2:]
    assert pending(migrations, applied(*migrations)) == ()


def test_a_hole_in_the_database_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "0001_a.sql", "0002_b.sql")
    migrations = read_migrations(tmp_path)
    with pytest.raises(MigrationRefused, match="did not run migration 0001"):
        pending(migrations, applied(migrations[1]))


def test_a_new_one_takes_the_next_number(tmp_path: Path) -> None:
    write(tmp_path, "0001_a.sql")
    path = new_migration("Add things, quickly", tmp_path)
    assert path.name == "0002_add_things_quickly.sql"
    assert [migration.number for migration in read_migrations(tmp_path)] == [1, 2]


@pytest.mark.parametrize("name", ["", "…", "  "])
def test_a_new_one_needs_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(MigrationRefused, match="is not a name"):
        new_migration(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_the_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "…"]) == 1
    assert capsys.readouterr().err == "'…' is not a name: use letters and digits\n"


def test_shipped_files_leave_the_transaction_to_the_migrator() -> None:
    """Bodies of functions may BEGIN; they are set off by $$, or are ATOMIC."""
    for migration in read_migrations():
        outside = "".join(migration.sql.split("$$")[::2]).replace("BEGIN ATOMIC", "")
        assert TRANSACTION_CONTROL.findall(outside) == [], migration.label
