import pytest

from atrium.documents.ingestion.language import detect_language


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The tenant shall pay the rent by the third day of the month, and the landlord is to keep the house in repair."),
        ("de", "Der Mieter hat die Miete bis zum dritten Werktag des Monats zu zahlen, und der Vermieter ist für das Haus da."),
        (
            "fr",
            "Le locataire paie le loyer avant le troisième jour du mois et le bailleur est tenu des réparations dans la maison.",
        ),
        (
            "es",
            "El inquilino paga la renta antes del tercer día del mes y el propietario se ocupa de las reparaciones en la casa.",
        ),
        ("", "Wynajmujący odpowiada za naprawy w domu, a najemca płaci czynsz do trzeciego dnia miesiąca."),
        ("", "المستأجر يدفع الإيجار قبل اليوم الثالث من الشهر"),
        ("en", "Invoice 17 | Total amount due | Hamster wheels"),
        ("", "Lietuvos gyventojai moka mokesčius. " * 20),
        ("", "Toki pona li toki pi mute lili. " * 20),
        ("", "42 | 17.5 | 2026-11-20"),
        ("", ""),
    ],
)
def test_languages_with_a_stemmer_are_told_apart_and_others_are_none(language: str, text: str) -> None:
    assert detect_language(text) == language
