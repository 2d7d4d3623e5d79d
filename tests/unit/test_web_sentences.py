"""The domains' sentences in the reader's language: known by their form, with numbers as the language writes them."""

import re
from pathlib import Path

import pytest

import heller
from heller.migration.findings import FINDINGS
from heller.web import pages, sentences

SOURCE = Path(heller.__file__).parent
GERMAN = pages._translations("de", pages.PACKAGE).gettext


def german(sentence: str) -> str | None:
    return sentences.translated(sentence, GERMAN, "de")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "more outcomes: evidence is -2.06 after 1,050, the gate is at -2.99",
            "mehr Ergebnisse: nach 1.050 steht der Beleg bei −2,06, nötig ist −2,99",
        ),
        ("running at 50 % since 2026-11-26 00:03 UTC", "läuft bei 50 % seit 2026-11-26 00:03 UTC"),
        (
            "halted at 10 % since 2026-11-26 00:03 UTC: 3 of 40 webhooks failed",
            "angehalten bei 10 % seit 2026-11-26 00:03 UTC: 3 von 40 Webhooks sind fehlgeschlagen",
        ),
        (
            "The gate of this stage is not passed; it waits for one successful spend; 20 seconds of soak time.",
            "Diese Stufe ist noch nicht freigegeben; es fehlt: ein gelungener Vorgang der Art spend; noch 20 Sekunden Beobachtungszeit.",
        ),
        (
            FINDINGS[0].sentence(5, 12_000),
            "Zeilen über 12.000 Credits gehören zu 5 Benutzerkennungen, die niemandem gehören.",
        ),
    ],
)
def test_a_sentence_and_the_sentences_in_it_are_translated(said: str, shown: str) -> None:
    assert german(said) == shown
    assert sentences.translated(said, str, "en") == said


def test_what_has_no_form_is_marked_as_english_and_nothing_in_it_is_markup() -> None:
    assert german("<b>a sentence of nobody</b>") is None
    shown = sentences.said("<b>a sentence of nobody</b>", GERMAN, "de")
    assert shown == '<span lang="en">&lt;b&gt;a sentence of nobody&lt;/b&gt;</span>'
    assert sentences.said("account <i> is frozen: x", GERMAN, "de") == "Das Konto &lt;i&gt; ist gesperrt: x"


def test_every_form_is_what_a_domain_says() -> None:
    """A sentence that is changed where it is said would silently stay English."""
    literals = [
        " ".join(re.sub(r"[\"']\s*\n\s*f?[\"']", "", path.read_text()).replace("''", "'").split())
        for path in (*SOURCE.rglob("*.py"), *SOURCE.rglob("*.sql"))
        if path.name != "sentences.py"
    ]
    missing = []
    composed = {
        "no worker has done anything yet",
        "no worker has done anything since %(at)s",
    }  # in two literals
    for form in (*sentences.REFUSALS, *sentences.GUARDRAILS, *sentences.EVIDENCE):
        pieces = [piece.replace("%%", "%").strip(" ;:,.") for piece in re.split(r"%\(\w+\)s", form)]
        if form not in composed and not any(all(piece in text for piece in pieces) for text in literals):
            missing.append(form)
    assert missing == []
