import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atrium.retrieval.language import LANGUAGES, detect

_GERMAN = "Der Mieter hat die Miete bis zum dritten Werktag des Monats zu zahlen, und der Vermieter ist für das Haus da."


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The tenant shall pay the rent by the third day of the month, and the landlord is to keep the house in repair."),
        ("de", _GERMAN),
        ("fr", "Le locataire paie le loyer avant le troisième jour du mois et le bailleur est tenu des réparations."),
        (
            "es",
            "El inquilino paga la renta antes del tercer día del mes y el propietario se ocupa de las reparaciones en la casa.",
        ),
        ("pl", "Wynajmujący odpowiada za naprawy w domu, a najemca płaci czynsz do trzeciego dnia miesiąca."),
        ("ar", "المستأجر يدفع الإيجار قبل اليوم الثالث من الشهر"),
        ("lt", "Lietuvos gyventojai moka mokesčius."),
        ("ja", "返金ポリシー"),
        ("zh", "退款政策"),
        ("ko", "환불 정책"),
        ("th", "นโยบายการคืนเงิน"),
        ("el", "Πολιτική επιστροφών"),
        ("en", "What is the refund policy?"),
        ("de", "Wie hoch ist die Kaution?"),
        ("fr", "Quel est le délai ?"),
        ("es", "¿Cuánto cuesta?"),
        ("en", "Invoice 17 | Total amount due | Hamster wheels"),
        ("en", "HOW MUCH IS THE DEPOSIT?"),
    ],
)
def test_prose_and_questions_are_told(language: str, text: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize(
    "text", ["", " ", "42 | 17.5 | 2026-11-20", "Toki pona li toki pi mute lili. " * 20, "Tesla Motors", "\ud800"]
)
def test_what_cannot_be_told_is_none(text: str) -> None:
    assert detect(text) == ""


@pytest.mark.parametrize("text", ["", "42 | 17.5", "Tesla Motors", "Name | Betrag | Datum", "Anhang B"])
def test_short_parts_are_in_the_language_of_the_whole(text: str) -> None:
    assert detect(text, "de") == "de"


@pytest.mark.parametrize(
    ("language", "text"),
    [("de", _GERMAN), ("ru", "Арендатор платит за квартиру до третьего числа."), ("ja", "敷金はいくらですか。")],
)
def test_a_plain_part_in_another_language_is_in_its_own(language: str, text: str) -> None:
    assert detect(text, "en") == language


def test_a_long_text_is_judged_by_all_of_it() -> None:
    assert detect("Licensed under the terms that follow, and all rights are reserved. " * 10 + (_GERMAN + "\n") * 500) == "de"


@given(st.text(), st.sampled_from(["", *sorted(LANGUAGES)]))
def test_any_text_has_a_language_or_its_prior(text: str, prior: str) -> None:
    assert detect(text, prior) in LANGUAGES | {prior, ""}


def test_the_model_is_loaded_on_first_use_only() -> None:
    code = "import sys, atrium.retrieval.language; sys.exit('py3langid' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
