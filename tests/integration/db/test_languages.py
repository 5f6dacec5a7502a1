"""Words of every language as the chunks store them, and what becomes of rows that were stored before."""

from collections.abc import Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from atrium.db.migrations import FOLDER
from infra.local.postgres import MASTER
from tests.factories.cluster import SPACES, Cluster

INSERT: LiteralString = """
    INSERT INTO atrium.chunks (space_id, tenant_id, id, document_id, version, ordinal, collection, char_start, char_end,
                               language, text, embedding)
    VALUES (1001, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 0, 'default', 0, 10, %s, %s, '[1,0,0,0]')"""

PLACES: LiteralString = "SELECT text, ctid::text FROM atrium.chunks"


@pytest.fixture(scope="module")
def owner(cluster: Cluster) -> Iterator[psycopg.Connection]:
    with cluster.clone() as name, psycopg.connect(cluster.server.dsn("atrium_migrator", cluster.password, name)) as connection:
        yield connection


def lexemes(connection: psycopg.Connection, language: str, text: str) -> set[str]:
    query: LiteralString = "SELECT coalesce(array_agg(lexeme), '{}') FROM unnest(atrium.text_vector(%s, %s))"
    row = connection.execute(query, (language, text)).fetchone()
    assert row is not None
    return set(row[0])


def test_every_stemmer_of_postgres_serves_a_language(owner: psycopg.Connection) -> None:
    shipped = {name for (name,) in owner.execute("SELECT cfgname::text FROM pg_ts_config WHERE cfgnamespace = 11")}
    (definition,) = owner.execute("SELECT pg_get_functiondef('atrium.stemmed_vector'::regproc)").fetchone() or ("",)
    assert {name for name in shipped if f"'{name}'::regconfig" in definition} == shipped


@pytest.mark.parametrize(
    ("language", "stored", "asked"),
    [
        ("en", "terminated contracts", "contract"),
        ("de", "gekündigte Verträge", "Vertrag"),
        ("fr", "les remboursements partiels", "remboursement"),
        ("es", "los reembolsos parciales", "reembolso"),
        ("it", "i rimborsi parziali", "rimborso"),
        ("pt", "os reembolsos parciais", "reembolso"),
        ("nl", "gedeeltelijke terugbetalingen", "terugbetaling"),
        ("sv", "delvisa återbetalningar", "återbetalning"),
        ("da", "delvise tilbagebetalinger", "tilbagebetaling"),
        ("no", "delvise tilbakebetalinger", "tilbakebetaling"),
        ("fi", "kirjat ja kirjoissa", "kirja"),
        ("ru", "частичные возвраты", "возврат"),
        ("hu", "részleges visszatérítések", "visszatérítés"),
        ("ro", "contractele parțiale", "contract"),
        ("tr", "kitaplar burada", "kitap"),
        ("el", "μερικές επιστροφές", "επιστροφή"),
        ("ar", "العقود المنتهية", "عقود"),
        ("ca", "els reemborsaments parcials", "reemborsament"),
        ("ja", "返金は14日以内に行われます。", "返金"),
        ("ja", "東京都庁のポリシー", "ﾎﾟﾘｼｰ"),
        ("zh", "退款将在十四天内支付。", "退款"),
        ("ko", "환불정책은 다음과 같습니다.", "정책"),
        ("th", "นโยบายการคืนเงินภายใน 14 วัน", "คืนเงิน"),
        ("en", "The city hall of 東京都 is tall.", "東京"),
        ("", "退款将在十四天内支付。", "退款"),
    ],
)
def test_another_form_of_a_word_is_the_same_word(owner: psycopg.Connection, language: str, stored: str, asked: str) -> None:
    wanted = lexemes(owner, language, asked)
    assert wanted
    assert wanted <= lexemes(owner, language, stored)


def test_runs_without_spaces_leave_the_other_words_alone(owner: psycopg.Connection) -> None:
    assert lexemes(owner, "ja", "AWSの料金、2026年。") == {"aws", "の料", "料金", "2026", "年"}


def test_unknown_languages_keep_words_as_they_stand(owner: psycopg.Connection) -> None:
    assert lexemes(owner, "pl", "Zwroty pieniędzy") == {"zwroty", "pieniędzy"}


def test_scripts_are_told_apart_by_code_points_whatever_the_database_sorts_by(owner: psycopg.Connection) -> None:
    query: LiteralString = "SELECT pg_get_functiondef('atrium.unspaced_vector'::regproc)"
    (definition,) = owner.execute(query).fetchone() or ("",)
    assert definition.count(" < ") == 1
    assert 'COLLATE "C") < ' in definition


async def test_rows_from_before_are_found_by_the_new_words(cluster: Cluster, tmp_path: Path) -> None:
    for file in FOLDER.glob("*.sql"):
        if file.stem < "0009":
            (tmp_path / file.name).symlink_to(file)
    with cluster.empty() as name:
        await cluster.migrator(name).bootstrap(MASTER, cluster.password)
        await cluster.migrator(name, folder=tmp_path).migrate()
        await cluster.migrator(name).declare_spaces(SPACES)
        dsn = cluster.server.dsn("atrium_migrator", cluster.password, name)
        with psycopg.connect(dsn, autocommit=True) as connection:
            for language, text in [
                ("en", "contracts"),
                ("", "退款将在"),
                ("it", "i rimborsi"),
                ("", "Zwroty"),
                ("fr", "« prix »"),
            ]:
                connection.execute(INSERT, (language, text))
            before: dict[str, str] = dict(connection.execute(PLACES).fetchall())
            await cluster.migrator(name).migrate()
            after: dict[str, str] = dict(connection.execute(PLACES).fetchall())
            stale: LiteralString = (
                "SELECT text FROM atrium.chunks WHERE tsv <> atrium.text_vector(language, heading || ' ' || text)"
            )
            assert connection.execute(stale).fetchall() == []
            assert {text for text in before if before[text] != after[text]} == {"退款将在", "i rimborsi"}
