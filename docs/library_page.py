"""The reference of the Python library, made from its signatures and docstrings."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import heller
import heller.client
import heller.fastapi
import heller.stripe
from heller.ledger.alerts import Alert, Alerts, TopUpAttempt, TopUpRule
from heller.ledger.anchors import Anchor, AnchorCheck, Anchors
from heller.ledger.events import DeliveryAttempt, EventPage, Events, WebhookEndpoint
from heller.ledger.heller import Ledger
from heller.ledger.hold import HoldVerbs
from heller.ledger.reads import Reads
from heller.ledger.recurring import Recurring, RecurringGrant
from heller.ledger.results import Books, FoundAccount
from heller.ledger.statements import Revenue, StatementHead, StatementLine, Statements, Usage
from heller.ledger.teams import Member, Membership, MemberSpending, Teams
from heller.ledger.verbs import Verbs

INTRODUCTION = """# Python library

Generated from the code by `make docs`. What it is used for, with examples, is in [Your own application](../how-to/application.md).

`Heller` has a pool of its own; `within(connection)` has the same verbs in a transaction of yours. All errors are in [Errors](errors.md). Where a signature ends with
`**common`, it takes `actor`, `metadata`, `if_version` and `dry_run` as `spend` does, as far as they mean something for the verb.
"""
LEDGER = {
    "Credits": Verbs,
    "Holds": HoldVerbs,
    "Reads": Reads,
    "Statements and reports": Statements,
    "Recurring grants": Recurring,
    "Teams": Teams,
    "Alerts and top-up rules": Alerts,
    "Events out": Events,
    "Anchors": Anchors,
}
RESULTS = (
    heller.Account, heller.Transaction, heller.Grant, heller.HoldState, heller.Draw, FoundAccount, Books, StatementHead, StatementLine, Usage,
    Revenue, RecurringGrant, Member, Membership, MemberSpending, Alert, TopUpRule, TopUpAttempt, EventPage, WebhookEndpoint, DeliveryAttempt, Anchor, AnchorCheck,
)  # fmt: skip
STRIPE = ("load", "buy", "confirm", "add_price", "retire_price", "prices", "converge", "reconcile", "top_up")


def library_page() -> str:
    """Everything an application imports: the ledger, both systems at once, FastAPI, Stripe, the client."""
    forgotten = {kind for kind in Ledger.__mro__[1:] if kind.__module__.startswith("heller.")} - {
        *LEDGER.values()
    }
    if forgotten:
        raise SystemExit(
            f"docs/library_page.py has no section for {', '.join(kind.__name__ for kind in forgotten)}"
        )
    lines = [INTRODUCTION, "## Opening", ""]
    for way_in in (
        heller.Heller.connect,
        heller.Heller.open,
        heller.Heller.close,
        heller.Heller.apply,
        heller.Heller.hold,
    ):
        lines += _entry(f"Heller.{way_in.__name__}", way_in)
    for name in ("within", "refusal_of", "verify", "route", "is_moved"):
        lines += _entry(f"heller.{name}", getattr(heller, name))
    for title, kind in LEDGER.items():
        lines += [f"## {title}", "", *_methods(kind)]
    lines += [
        "## While two systems are alive",
        "",
        *_paragraphs("`heller.Credits`: ", heller.Credits),
        *_methods(heller.Credits),
    ]
    lines += ["## FastAPI", "", *_paragraphs("`heller.fastapi`: ", heller.fastapi)]
    for name in ("answer_problems", "charge", "reserve"):
        lines += _entry(f"heller.fastapi.{name}", getattr(heller.fastapi, name))
    lines += ["## Stripe", ""]
    for name in STRIPE:
        lines += _entry(f"heller.stripe.{name}", getattr(heller.stripe, name))
    lines += ["## Over HTTP", "", *_paragraphs("`heller.client.Client`: ", heller.client.Client)]
    lines += ["`AsyncClient` is the same with `await`. Their methods take what the library's take:", ""]
    lines += [", ".join(f"`{name}`" for name, _ in _public(heller.client.Client)) + ".", ""]
    lines += ["## Results", ""]
    for result in (
        *RESULTS,
        heller.stripe.Item,
        heller.stripe.Order,
        heller.stripe.Purchase,
        heller.stripe.Price,
    ):
        lines += _result(result)
    return "\n".join(lines).rstrip() + "\n"


def _public(kind: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, member in sorted(inspect.getmembers(kind, callable)):
        if not name.startswith("_") and inspect.isfunction(inspect.unwrap(member)) | inspect.ismethod(member):
            yield name, member


def _methods(kind: type) -> list[str]:
    own = {name for base in kind.__mro__ if base.__module__ == kind.__module__ for name in vars(base)}
    return [line for name, member in _public(kind) if name in own for line in _entry(name, member)]


def _entry(name: str, what: Callable[..., Any]) -> list[str]:
    found = inspect.signature(what)
    found = found.replace(
        parameters=[one for one in found.parameters.values() if one.name not in ("self", "cls")]
    )
    is_awaited = inspect.iscoroutinefunction(inspect.unwrap(what))
    said = re.sub(r"<function (\w+) at 0x\w+>", r"\1", str(found))
    said = re.sub(r"\b(?:[a-z_]\w*\.)+(?=[A-Za-z])", "", said)  # names without their modules
    said = re.sub(r"ForwardRef\('([^']*)'\)|(?<!= )'([A-Z][^']*)'", r"\1\2", said)
    text = inspect.cleandoc(what.__doc__ or "")
    return [
        f"### `{name}`",
        "",
        "```python",
        f"{'await ' if is_awaited else ''}{name}{said}",
        "```",
        "",
        *_text(text),
        "",
    ]


def _text(text: str) -> Iterator[str]:
    """A docstring in Markdown: its sections of arguments and errors become lists."""
    for line in text.replace("``", "`").split("\n"):
        if line in ("Args:", "Raises:", "Returns:"):
            yield f"*{line}*\n"
        elif entry := re.match(r" {4}(\w[\w, .]*?): (.*)", line):
            yield f"- `{entry[1]}`: {entry[2]}"
        else:
            yield line.removeprefix("    ") if line.startswith("     ") else line


def _paragraphs(lead: str, what: Any) -> list[str]:
    return [lead + (inspect.getdoc(what) or "").split("\n\n::")[0].replace("``", "`"), ""]


def _result(kind: type) -> list[str]:
    lines = [f"### `{kind.__name__}`", "", *_text((inspect.getdoc(kind) or "").replace("\n\n", "\n\n"))]
    if is_dataclass(kind):
        lines += ["", ", ".join(f"`{field.name}`" for field in fields(kind)) + "."]
    return [*lines, ""]
