"""Sentences that the domains say in English (refusals, evidence, findings), in the reader's language.

A domain knows no language and says whole sentences with their data in them. Here each is known by its form, with ``%(name)s``
where data stand; the form is the message in ``locale/*/LC_MESSAGES/domain.po``. Data that are a sentence themselves are
translated too, numbers are written the language's way. What has no form stays as it was said, and is marked as English.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from markupsafe import Markup, escape

from heller.checklist import ITEMS
from heller.migration.findings import FINDINGS

REFUSALS = (
    "%(required)s credits are needed and %(available)s are available",
    "there is no account %(account)s with unit %(unit)s",
    "account %(account)s is frozen: %(reason)s",
    "account %(account)s exists with another %(field)s",
    "account %(account)s would hold more credits than can be counted",
    "account %(account)s is at version %(now)s, not %(seen)s",
    "account %(account)s is about to move: no new holds until it has",
    "key %(key)s was used for a different request: %(field)s was %(old)s and is now %(new)s",
    "%(member)s has spent %(spent)s of %(cap)s credits of this %(period)s, so %(more)s more are too many",
    "%(member)s is no member of account %(account)s",
    "amount is 0 or missing; an adjustment adds or takes at least 1 credit",
    "%(field)s is %(value)s; it must be a whole number of at least 1",
    "%(field)s is %(value)s; it must lie between the years 1900 and 9999",
    "%(field)s has %(length)s characters; at most %(most)s are allowed",
    "%(field)s contains control characters",
    "%(field)s is empty",
    "credits must be at least 1",
    "expires_at is not ahead",
    "expires_at %(at)s is in the past",
    "payment %(payment)s was credited to account %(account)s already",
    "delivery %(number)s does not wait for anybody",
    "discrepancy %(number)s is not open",
    "rate_per_minute is not positive",
    "a key without scopes opens nothing",
    "key %(key)s has ended; make a new one",
    "key %(key)s ends by itself; say when the one that follows it does",
    "the overlap is 0 to 90 days (7776000 seconds)",
    "rollout %(rollout)s is %(state)s already",
    "rollout %(rollout)s is at version %(now)s, not %(seen)s",
    "a rollout that is %(state)s cannot take %(event)s",
    "rollout %(rollout)s was not started; start it first",
    "stages must ascend within 1 to 100",
    "The field %(field)s is empty.",
    "%(field)s is a whole number, not %(value)s.",
    "%(field)s is beyond what a number can be here.",
    "%(field)s is a date such as 2026-01-31, not %(value)s.",
    "A stage lasts 0 to %(hours)s hours.",
    "Stages are numbers with commas between, such as %(stages)s.",
    "Type '%(word)s' to confirm.",
    "This delivery is about no payment.",
    "The gate of this stage is not passed; it waits for %(missing)s.",
    "To go on all the same, say so: the box in the console, --even-unproven on the command line.",
    "Buy or grant credits first, or ask for less.",
    "Open it with open_account (command line: heller account open).",
    "An operator can unfreeze it once the reason is cleared.",
    "Use a new key for a new intent; repeat the same request to get the first result.",
    "Ask heller.route(account) which system serves it now.",
    "Read the account again and decide anew.",
    "Check that it runs and that the URL is right, then try again with the same key.",
)
GUARDRAILS = (
    "more outcomes: evidence is %(evidence)s after %(count)s, the gate is at %(gate)s",
    "%(wanted)s users seen, so far %(seen)s",
    "one successful %(kind)s",
    "%(seconds)s seconds of soak time",
    "the invariants to be checked",
    "a first evaluation by the worker",
    "%(failed)s of %(count)s operations failed",
    "%(failed)s of %(count)s webhooks failed",
    "%(failed)s of %(count)s operations took longer than %(limit)s ms",
    "%(breach)s, and so it is in the legacy system: going back would not help",
    "no outcome of a user at home in heller for %(seconds)s seconds",
    "the users seen are not split as their homes are (p = %(chance)s): is somebody sent to the wrong one?",
    "invariant %(invariant)s is broken: %(sentence)s",
    "the gate is passed and the stage has soaked",
    "%(legacy)s in legacy + %(heller)s in heller + %(moving)s in transit = %(opening)s opening + %(bought)s bought - %(spent)s spent",
)
EVIDENCE = (
    "no backup was ever taken",
    "a backup of %(at)s, which was never restored",
    "the restore of %(at)s was not whole",
    "the last one is of %(at)s, older than %(days)s days",
    "taken %(at)s, restored and verified %(verified)s",
    "%(setting)s is not set",
    "%(url)s answers %(status)s",
    "no purchase in Stripe's test mode yet",
    "%(count)s test purchases, none refunded yet",
    "%(count)s test purchases, %(refunded)s of them refunded",
    "nothing was copied yet",
    "copied %(at)s, not verified",
    "copied %(at)s, verified %(verified)s",
    "verify of %(at)s found mismatches",
    "no worker has done anything yet",
    "no worker has done anything since %(at)s",
    "a worker is at work, but no alert was ever sent",
    "the alert of %(at)s was not taken by every receiver",
    "a worker is at work; an alert arrived %(at)s",
    "every verb tried and taken back: balance %(balance)s of 75",
    "no rollout was started",
    "%(state)s at %(percent)s %% since %(at)s",
    "%(state)s at %(percent)s %% since %(at)s UTC: %(reason)s",
    "running", "halted", "rolling_back", "rolled_back", "done",
    "no credit operation was observed in the last 24 hours",
    "%(count)s operations: p95 %(seconds)s s, %(ratio)s failed",
    "everyone was rolled back %(at)s",
    "%(count)s users were returned",
    "nobody was ever returned",
    "never verified as a whole",
    "%(count)s accounts verified %(at)s",
    "%(verified)s: rows are wrong",
    "%(verified)s, more than a day ago",
    "no delivery in the last 24 hours",
    "%(count)s deliveries, %(ratio)s stored, %(dead)s given up, %(missed)s never came",
    "%(deliveries)s; not yet for 24 hours",
    "the legacy database takes no change at all",
    "the legacy database has no fence",
    "every way to change a moved user's credits was tried and refused",
    "tables and functions are exactly those that this version documents",
    "the database is not what this version documents: %(problem)s",
    "the legacy database was not archived",
    "%(count)s rows of %(database)s kept %(at)s",
    "zero delta: the row moved no credits",
    "No event had told us; reconcile brought the ledger in line.",
    "Stripe's balance has this charge; our payments do not.",
)  # fmt: skip


def _findings() -> list[str]:
    """The sentences of an audit, and what each choice means, as they are written there."""
    written = [text for kind in FINDINGS for text in (kind.one, kind.many, *kind.choices.values())]
    return [re.sub(r"\{(n|credits|absolute)\}", r"%(\1)s", text.replace("%", "%%")) for text in written]


TITLES = tuple(title for _name, _phase, title, _command, _look in ITEMS)
FORMS = tuple(dict.fromkeys((*REFUSALS, *GUARDRAILS, *EVIDENCE, *TITLES, *_findings())))
"""Every form, each once: the messages of ``domain.po``."""

CREDITS = frozenset({"required", "available", "spent", "cap", "more"})
"""Data that the ledger says without separators, and that count something."""
_DATA = re.compile(r"%\((\w+)\)s")
_NUMBER = re.compile(r"[+-]?\d{1,3}(,\d{3})*(\.\d+)?%?|[+-]?\d+(\.\d+)?%?")
_SWAPPED = str.maketrans({",": ".", ".": ",", "-": "\N{MINUS SIGN}"})


def said(sentence: str, gettext: Callable[[str], str], language: str) -> Markup:
    """A domain's sentence in the reader's language."""
    text = translated(sentence, gettext, language)
    if text is None:
        return Markup('<span lang="en">{}</span>').format(sentence)
    return escape(text)


def translated(sentence: str, gettext: Callable[[str], str], language: str) -> str | None:
    """The same as plain text; None where the sentence has no form."""
    if language == "en":
        return sentence
    for form, pattern in _patterns():
        found = pattern.fullmatch(sentence)
        if found is not None:
            data = {
                name: _datum(_grouped(value) if name in CREDITS else value, gettext, language)
                for name, value in found.groupdict().items()
            }
            return gettext(form) % data
    return None


def _grouped(value: str) -> str:
    return f"{int(value):,}" if value.isdecimal() else value


def _datum(value: str, gettext: Callable[[str], str], language: str) -> str:
    if _NUMBER.fullmatch(value):
        return value.translate(_SWAPPED) if language == "de" else value
    return "; ".join(translated(part, gettext, language) or part for part in value.split("; "))


@lru_cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The forms as patterns, those with the most words of their own first."""
    most_words = sorted(FORMS, key=lambda form: -len(_DATA.sub("", form)))
    return [(form, re.compile(_pattern(form), re.DOTALL)) for form in most_words]


def _pattern(form: str) -> str:
    pieces = _DATA.split(form)  # text, name, text, name, ...
    return "".join(
        f"(?P<{piece}>.+?)" if place % 2 else re.escape(piece.replace("%%", "%"))
        for place, piece in enumerate(pieces)
    )
