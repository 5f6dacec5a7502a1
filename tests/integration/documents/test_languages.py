"""A document knows its language, and so does each of its chunks."""

from atrium.kernel.principal import Principal
from tests.factories.documents import World

_GERMAN = "Der Mieter hat die Miete bis zum dritten Werktag des Monats zu zahlen, und der Vermieter hält das Haus in Ordnung."
_ENGLISH = "The tenant shall pay the rent by the third working day of the month, and the landlord keeps the house in repair."
_TABLE = "Position | Betrag\n\n17 | 42,00\n\n18 | 43,00"


async def test_each_chunk_is_in_its_own_language_and_a_table_in_its_documents(world: World, tenant: Principal) -> None:
    parts = ["# Vertrag", *[_GERMAN] * 12, "# Contract", *[_ENGLISH] * 5, "# Anlage", _TABLE]

    document = await world.ready(tenant, "vertrag.md", "\n\n".join(parts), content_type="text/markdown")

    chunks = await world.documents.chunks(tenant, document.id, limit=100)
    assert document.version.language == "de"
    by_heading = {(chunk.heading, chunk.language) for chunk in chunks}
    assert by_heading == {("Vertrag", "de"), ("Contract", "en"), ("Anlage", "de")}


async def test_a_document_whose_language_cannot_be_told_has_none(world: World, tenant: Principal) -> None:
    document = await world.ready(tenant, "numbers.txt", "\n".join(f"{n} | {n * 17 % 101}" for n in range(50)))

    assert document.version.language == ""
