"""``heller migrate handover | return | recover | status | invariants``: two systems alive, one owner per user."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from heller.cli import fence, options, output
from heller.cli.fence import MappingOption, run
from heller.errors import InvalidArgument
from heller.migration.handover.invariants import check_invariants
from heller.migration.handover.outbox import answer, drain
from heller.migration.handover.outcomes import Moves
from heller.migration.handover.purchases import deliver, set_aside
from heller.migration.handover.runs import Sides, move_many, open_sides, paced, recover_all
from heller.migration.handover.status import handover_status
from heller.rollout.buckets import bucket, keyed_bucket

EXIT_FINDINGS = 3
SHOWN_MAX = 20

UserOption = Annotated[
    list[str] | None, typer.Option("--user", metavar="ID", help="This user (id or e-mail); may be repeated.")
]
BucketOption = Annotated[
    int | None, typer.Option("--bucket", min=0, max=99, help="The users of this bucket of the plan.")
]
PercentOption = Annotated[
    int | None,
    typer.Option("--percent", min=1, max=100, help="The users of the first N buckets of the plan."),
]
AllOption = Annotated[bool, typer.Option("--all", help="Everybody.")]
SaltOption = Annotated[
    str | None,
    typer.Option("--salt", help="Bucket by a keyed hash of the id under this salt, not by the plan's hash."),
]
BatchOption = Annotated[int, typer.Option("--batch", min=1, max=1000, help="Users a transaction.")]


def mount(app: typer.Typer) -> None:
    """Add the commands of the handover to ``heller migrate``."""
    app.add_typer(fence.app, name="fence")
    for name, command in (("handover", handover), ("return", return_), ("recover", recover), ("status", status),
                          ("invariants", invariants), ("drain", drain_outbox)):  # fmt: skip
        app.command(name)(command)


def handover(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    user: UserOption = None,
    bucket_number: BucketOption = None,
    percent: PercentOption = None,
    everybody: AllOption = False,
    salt: SaltOption = None,
    batch: BatchOption = 50,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Move users to heller, quiet ones first.

    Ctrl-C pauses after the batch under way; run it again to go on.

    Example: heller migrate handover --percent 10
    Exit 3: somebody could not be moved; the reason is said.
    """
    selection = _Selection(user or [], bucket_number, percent, everybody, salt)
    if dry_run:
        _would_move(
            selection, source, options.database_url(database, embedded), mapping, away=False, as_json=as_json
        )
        return

    async def work(url: str) -> Moves:
        async with open_sides(source, url, mapping=mapping) as sides:
            with output.progress(quiet=as_json) as progress, _pausable() as pause:
                done = await recover_all(sides)
                return done.with_more(
                    await move_many(
                        paced(sides.coordinator().hand_over, sides), selection.users(sides, away=False),
                        batch_users=batch, progress=progress, may_go_on=pause.is_not_wanted,
                    )
                )  # fmt: skip

    _moves(run(work, options.database_url(database, embedded)), as_json=as_json)


def return_(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    user: UserOption = None,
    bucket_number: BucketOption = None,
    percent: PercentOption = None,
    everybody: AllOption = False,
    salt: SaltOption = None,
    batch: BatchOption = 50,
    refuse: Annotated[
        bool,
        typer.Option("--refuse", help="Give back users who are stuck on their way to heller, unchanged."),
    ] = False,
    dry_run: options.DryRunOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Move users back, with everything they did in heller.

    Open holds are waited for.

    Example: heller migrate return --user ann@example.org
    Exit 3: somebody could not be moved; the reason is said.
    """
    selection = _Selection(user or [], bucket_number, percent, everybody, salt)
    if dry_run:
        _would_move(
            selection, source, options.database_url(database, embedded), mapping, away=True, as_json=as_json
        )
        return

    async def work(url: str) -> Moves:
        async with open_sides(source, url, mapping=mapping) as sides:
            coordinator = sides.coordinator()
            with output.progress(quiet=as_json) as progress, _pausable() as pause:
                done = Moves() if refuse else await recover_all(sides)
                return done.with_more(
                    await move_many(
                        paced(coordinator.refuse if refuse else coordinator.send_back, sides), selection.users(sides, away=True),
                        batch_users=batch, progress=progress, step="return", may_go_on=pause.is_not_wanted,
                    )
                )  # fmt: skip

    _moves(run(work, options.database_url(database, embedded)), as_json=as_json)


def recover(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Finish every move that was interrupted.

    Harmless at any time.

    Example: heller migrate recover
    Exit 3: somebody could not be moved; the reason is said.
    """

    async def work(url: str) -> Moves:
        async with open_sides(source, url, mapping=mapping) as sides:
            return await recover_all(sides)

    _moves(run(work, options.database_url(database, embedded)), as_json=as_json)


def status(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Say who is at home where, who is stuck, whose purchases wait.

    Example: heller migrate status
    """

    async def work(url: str) -> Any:
        async with open_sides(source, url, mapping=mapping) as sides:
            return await handover_status(sides)

    result = run(work, options.database_url(database, embedded))
    if as_json:
        output.print_json(result.as_json())
        return
    rows = [
        (name.replace("_", " "), value)
        for name, value in result.as_json().items()
        if name not in {"quarantined", "purchases"}
    ]
    output.out.print(output.table("Homes", ["where", "users>"], rows))
    if result.quarantined:
        output.out.print(output.table("Quarantined", ["account", "why"], result.quarantined))
    if result.purchases:
        output.out.print(
            output.table("Purchases that wait", ["where", "number>", "account", "why"], result.purchases)
        )


def invariants(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    strict: Annotated[
        bool,
        typer.Option(
            "--strict",
            help="The legacy application writes a row for every change: unexplained ones are breaches.",
        ),
    ] = False,
    as_json: options.JsonOption = False,
) -> None:
    """Check I1 to I6 for every user.

    Example: heller migrate invariants
    Exit 3: there is a breach.
    """

    async def work(url: str) -> Any:
        async with open_sides(source, url, mapping=mapping) as sides:
            return await check_invariants(sides, strict=strict)

    result = run(work, options.database_url(database, embedded))
    if as_json:
        output.print_json(result.as_json())
    else:
        output.out.print(result.conservation.line())
        rows = [(b.invariant, b.account, b.credits, b.sentence) for b in result.breaches]
        if rows:
            output.out.print(output.table("Breaches", ["invariant", "account", "credits>", "what"], rows))
        output.talk.print(
            f"{output.counted(result.users, 'user')}: "
            + ("every invariant holds." if result.ok else f"{len(rows):,} breaches.")
        )
    if not result.ok:
        raise typer.Exit(EXIT_FINDINGS)


def drain_outbox(
    source: options.SourceOption,
    database: options.DatabaseOption = None,
    embedded: options.EmbeddedOption = None,
    mapping: MappingOption = None,
    answered: Annotated[
        int | None,
        typer.Option(
            "--answered", metavar="N", help="Purchase N of 'heller migrate status' was dealt with by hand."
        ),
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="What was done; it is kept.")] = "",
    actor: options.ActorOption = "cli",
    as_json: options.JsonOption = False,
) -> None:
    """Credit the purchases that the fence captured, each once.

    Those for users who have moved. One that does not say exactly what was bought is parked: it waits for you.
    Stripe's deliveries about what the legacy system sold to users at home there are set aside: they are its own.
    What heller sold to users who have gone home is written into the legacy history.

    Example: heller migrate drain
    Exit 3: a purchase is parked; 'heller migrate status' says why.
    """
    if reason and answered is None:
        raise InvalidArgument(
            "--reason says what was done with a purchase.",
            hint="Give its number: --answered N.",
            argument="reason",
        )

    async def work(url: str) -> dict[str, int]:
        async with open_sides(source, url, mapping=mapping) as sides:
            if answered is not None:
                return {"answered": await answer(sides, answered, actor=actor, reason=reason)}
            done = await drain(sides)
            theirs = await set_aside(sides)
            delivered = await deliver(sides)
            more = {"left to the legacy system": theirs, "written into the legacy system": delivered}
            return done | {what: count for what, count in more.items() if count}

    result = run(work, options.database_url(database, embedded))
    if as_json:
        output.print_json(result)
    else:
        output.out.print(
            ", ".join(f"{count:,} {what}" for what, count in result.items()) or "The outbox is empty."
        )
    if result.get("parked"):
        raise typer.Exit(EXIT_FINDINGS)


class _Selection:
    """Whom a move is about; exactly one way of saying it."""

    def __init__(
        self, users: list[str], number: int | None, percent: int | None, everybody: bool, salt: str | None
    ) -> None:
        given = [bool(users), number is not None, percent is not None, everybody]
        if sum(given) != 1:
            raise InvalidArgument(
                "Say whom: one of --user, --bucket, --percent or --all.",
                hint="--percent 10 moves the first ten buckets.",
                argument="user",
            )
        self._names, self._number, self._percent, self._salt = users, number, percent, salt

    def _wants(self, user: str, email: str) -> bool:
        if self._number is None and self._percent is None:
            return True
        place = keyed_bucket(user, self._salt) if self._salt is not None else bucket(email)
        return place == self._number if self._number is not None else place < (self._percent or 0)

    async def users(self, sides: Sides, *, away: bool) -> AsyncIterator[str]:
        """Their ids, as the fence knows them."""
        if self._names:
            for name in self._names:
                found = await sides.legacy.find(name)
                if found is None:
                    raise InvalidArgument(f"The legacy system has no user {name}.", argument="user")
                yield found
            return
        async for user, email in sides.legacy.users(away=away):
            if self._wants(user, email):
                yield user


class _Pause:
    """Whether somebody asked to stop; a batch under way is finished first, so that nobody stays between the homes."""

    def __init__(self) -> None:
        self.is_wanted = False

    def want(self) -> None:
        """Stop after this batch."""
        self.is_wanted = True

    async def is_not_wanted(self) -> bool:
        """For ``move_many``."""
        return not self.is_wanted


@contextmanager
def _pausable() -> Iterator[_Pause]:
    """Ctrl-C and SIGTERM pause; at the end they are what they were. Raises KeyboardInterrupt if one came."""
    pause, loop = _Pause(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, pause.want)
    try:
        yield pause
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    if pause.is_wanted:
        raise KeyboardInterrupt


def _would_move(
    selection: _Selection,
    source: str,
    database: AbstractContextManager[str],
    mapping: Path | None,
    *,
    away: bool,
    as_json: bool,
) -> None:
    """Whom a move would be about; whether somebody is busy only shows when it is tried."""

    async def work(url: str) -> list[str]:
        async with open_sides(source, url, mapping=mapping) as sides:
            return [user async for user in selection.users(sides, away=away)]

    users = run(work, database)
    if as_json:
        output.print_json({"dry_run": True, "users": users})
        return
    output.out.print(f"{output.counted(len(users), 'user')} would move {'back' if away else 'to heller'}.")
    output.out.print(", ".join(users[:SHOWN_MAX]) + (", ..." if len(users) > SHOWN_MAX else ""))


def _moves(result: Moves, *, as_json: bool) -> None:
    told = result.as_json()
    if as_json:
        output.print_json(told)
    else:
        counts = [
            f"{told[name]:,} {name}"
            for name in ("moved", "returned", "known", "draining", "busy", "quarantined", "skipped")
            if told[name]
        ]
        output.out.print(", ".join(counts) or "Nothing was to be done.")
        if told["frozen_ms_median"] is not None:
            output.talk.print(
                f"Not at home anywhere: {told['frozen_ms_median']} ms in the median, {told['frozen_ms_p99']} ms at p99."
            )
        for reason in result.reasons:
            output.talk.print(f"{reason.account}: {reason.outcome}, {reason.reason}")
    if not result.ok:
        raise typer.Exit(EXIT_FINDINGS)
