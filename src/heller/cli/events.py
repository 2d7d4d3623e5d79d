"""``heller events``: what happened, in order, to be read from a cursor or sent to your own endpoints."""

import base64
import json
import secrets
from typing import Annotated, Any

import typer

from heller import Heller
from heller.cli import options
from heller.cli.output import moment, out, print_json, table, talk
from heller.cli.shared import Kinds, Where, anywhere, plain, taking
from heller.errors import InvalidArgument
from heller.ledger.events import WebhookEndpoint

app = typer.Typer(
    add_completion=False,
    help="Events out: every transaction, in order, read or sent.",
    no_args_is_help=True,
)
endpoints = typer.Typer(
    add_completion=False,
    help="Your endpoints, to which the worker sends events, signed.",
    no_args_is_help=True,
)
app.add_typer(endpoints, name="endpoints")

SECRET_BYTES = 24
EXIT_FAILED = 1
_MORE = (
    "What is newer shows a second later, when somebody looks again: 'heller worker' looks all the time, else repeat "
    "'heller events list'."
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Your name for it (heller events endpoints list).")]
Account = Annotated[str | None, typer.Option("--account", metavar="ID", help="Only this account.")]


def cursor_of(position: dict[str, Any] | None) -> str | None:
    """A position as one word."""
    return None if position is None else base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def position_of(cursor: str) -> dict[str, Any]:
    """The position of a cursor.

    Raises:
        InvalidArgument: it is none that we gave.
    """
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor.encode()))
    except ValueError:
        position = None
    if not isinstance(position, dict):
        raise InvalidArgument(
            "That is no cursor.", hint="Give the cursor that the page before ended with.", argument="after"
        )
    return position


@app.command("list")
@taking(anywhere)
def list_events(
    at: Where,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="CURSOR", help="Go on from here (default: the beginning)."),
    ] = None,
    limit: options.LimitOption = 100,
    account: Account = None,
    kind: Kinds = None,
) -> None:
    """List events in order.

    The cursor at the end is where the next page, or the next visit, begins.

    A new event shows about a second after it happened, once nothing older can come any more.

    Example: heller events list --kind spend --limit 20
    """
    position = None if after is None else position_of(after)
    page = at.ask(
        lambda heller: heller.events(after=position, limit=limit, account=account, kinds=kind or None)
    )
    cursor = cursor_of(page.position)
    if at.as_json:
        print_json({"events": page.events, "cursor": cursor, "horizon": page.horizon})
        return
    rows = [(e["id"], e["recorded_at"][:19], e["type"], f"{e['delta']:+,}", e["reason"]) for e in page.events]
    out.print(table(None, ("id", "recorded (UTC)", "type", "delta>", "reason"), rows))
    if cursor:
        out.print(f"cursor {cursor}")
    if page.horizon is None:
        talk.print(
            "No event can be shown yet: this first look only began to watch what is still being written."
        )
    if len(page.events) < limit:
        talk.print(_MORE)


@endpoints.command("add")
@taking(anywhere)
def add(
    at: Where,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Your name for it.")],
    url: Annotated[str, typer.Argument(metavar="URL", help="https, or http in a private network.")],
    secret: Annotated[
        str | None,
        typer.Option(
            envvar="HELLER_ENDPOINT_SECRET",
            show_envvar=True,
            help="whsec_... (default: a known endpoint keeps its own, a new one gets one, which is printed once).",
        ),
    ] = None,
    new_secret: Annotated[
        bool, typer.Option("--new-secret", help="Make a known endpoint a new secret, and print it once.")
    ] = False,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="CURSOR", help="Send from here on (default: from now on)."),
    ] = None,
    account: Account = None,
    kind: Kinds = None,
) -> None:
    """Have events sent to an endpoint.

    Again changes it and ends its suspension; its secret stays unless --secret or --new-secret is given.

    Each event is one POST, signed by the Standard Webhooks scheme, in order, repeated until a 2xx answer.

    Example: heller events endpoints add billing https://example.org/hook --kind grant
    """
    if secret and new_secret:
        raise InvalidArgument(
            "--new-secret makes a secret, and --secret (HELLER_ENDPOINT_SECRET) gives one.",
            hint="Leave one of them out.",
            argument="new-secret",
        )
    made = f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"
    rest = {
        "account": account,
        "kinds": kind or None,
        "position": None if after is None else position_of(after),
    }
    endpoint, used = at.ask(
        lambda heller: _put(heller, name, url, made if new_secret else secret or None, made, rest)
    )
    at.show(plain(endpoint) | ({"secret": made} if used == made else {}))
    if used is None:
        talk.print("Its secret is the one it had; --new-secret makes another.")
    else:
        talk.print(
            "Its secret is new, and shown only now." if used == made else "Its secret is the given one."
        )


async def _put(
    heller: Heller, name: str, url: str, secret: str | None, spare: str, rest: dict[str, Any]
) -> tuple[WebhookEndpoint, str | None]:
    """The endpoint, and the secret it got: without one it keeps its own, and a new one gets the spare."""
    try:
        return await heller.put_webhook_endpoint(name, url, secret=secret, **rest), secret
    except InvalidArgument as error:
        if secret is not None or error.argument != "secret":
            raise
        return await heller.put_webhook_endpoint(name, url, secret=spare, **rest), spare


@endpoints.command("list")
@taking(anywhere)
def list_endpoints(
    at: Where,
    after: Annotated[
        str, typer.Option("--after", metavar="NAME", help="The next page: after this endpoint.")
    ] = "",
    limit: options.LimitOption = 1000,
) -> None:
    """List the endpoints, and how their delivery goes.

    Example: heller events endpoints list
    """
    at.listed(
        at.ask(lambda heller: heller.webhook_endpoints(after=after, limit=limit)),
        ("name", "url", "failures>", "disabled", "last delivery (UTC)", "last error"),
        lambda e: (e.endpoint, e.url, e.failures, e.disabled, moment(e.delivered_at), e.last_error or ""),
    )


@endpoints.command("attempts")
@taking(anywhere)
def attempts(at: Where, name: Name) -> None:
    """List the last attempts to send to an endpoint, newest first.

    At most 50 are kept. After a failed one the events behind it wait for the next try.

    Example: heller events endpoints attempts billing
    """
    at.listed(
        at.ask(lambda heller: heller.webhook_attempts(name)),
        ("at (UTC)", "event", "status>", "milliseconds>", "error"),
        lambda a: (moment(a.at), a.event, a.status_code or "none", a.milliseconds, a.error or ""),
    )


@endpoints.command("test")
@taking(anywhere)
def test(at: Where, name: Name) -> None:
    """Send one signed event of type heller.test to an endpoint, now.

    Says what it answered; exit code 1 when it was not taken. No other event moves by it, and a failure does not count.

    Example: heller events endpoints test billing
    """
    attempt = at.ask(lambda heller: heller.test_webhook_endpoint(name))
    if at.as_json:
        print_json(plain(attempt))
    elif attempt.error is None:
        out.print(f"Taken: HTTP {attempt.status_code} after {attempt.milliseconds} ms ({attempt.event}).")
    else:
        out.print(f"Not taken: {attempt.error} after {attempt.milliseconds} ms ({attempt.event}).")
    if attempt.error is not None:
        raise typer.Exit(EXIT_FAILED)


@endpoints.command("remove")
@taking(anywhere)
def remove(at: Where, name: Name) -> None:
    """Send nothing more to an endpoint.

    Example: heller events endpoints remove billing
    """
    removed = at.ask(lambda heller: heller.remove_webhook_endpoint(name))
    if at.as_json:
        print_json({"removed": removed})
    else:
        out.print("Removed." if removed else "There was no such endpoint.")
