"""The fourth part of the demo: both systems serve, users change homes, a broken release goes back by itself."""

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from rich.markup import escape

from heller.cli import output
from heller.cli.demo.stage import say
from heller.cli.living.scene import Scene, scene
from heller.errors import IntegrityError
from heller.migration.handover.invariants import Invariants, check_invariants
from heller.rollout import state
from heller.rollout.controller import Tick, tick

CUSTOMERS = 300
RATE = 100
SEED = 7
PRESENTER = "demo"
EVALUATION_SECONDS = 1.0
MOVE_SECONDS = 3.0
STEP_SECONDS_MAX = 180.0
BROKEN_SHARE = 0.5
SLOW_MILLISECONDS = 15_000
LIMITS = {"users_min": 5, "no_data_seconds": 60, "slow_milliseconds": SLOW_MILLISECONDS}
"""Few users are enough to go on; and a machine that is busy with something else does not end the showing."""
DEFECT = "This is a defect: please report it."

_BREAK = """
create function public.demo_broken_release() returns trigger language plpgsql as $$
begin
  if new.kind = 'spend' and random() < {share} then raise exception 'a broken release'; end if;
  return new;
end $$;
create trigger demo_broken_release before insert on heller.transactions for each row execute function public.demo_broken_release()
"""
_MEND = "drop trigger demo_broken_release on heller.transactions; drop function public.demo_broken_release()"


async def play(legacy_url: str, heller_url: str, folder: Path) -> None:
    """Fence, 10 %, a burst of errors and the way back, again 10, 50, 100 %, with the conservation line at each step."""
    say(
        "4. Two systems alive",
        f"the legacy application and heller serve {CUSTOMERS} customers at {RATE} operations a second",
    )
    async with scene(legacy_url, heller_url, folder, customers=CUSTOMERS, rate=RATE, seed=SEED) as living:
        await _Play(living).run()


class _Play:
    """One showing."""

    def __init__(self, living: Scene) -> None:
        self.living, self.sides = living, living.sides
        self.ours = living.sides.ours.connection
        self.frozen: list[float] = []

    async def run(self) -> None:
        fence = self.living.fence
        if not fence.ok:
            raise IntegrityError(f"The fence has a hole: {fence.problems[0]}", hint=DEFECT)
        output.out.print(
            f"fence around {fence.users:,} users: every write path of a user who is away is refused"
        )
        await self._conservation("before the first move")
        await self._start("the first try")
        await self._until(lambda done: done.moves.counts["moved"] > 0)
        await self._conservation("10 % at home in heller")
        await self._burst()
        await self._start("the release is mended")
        for percent in state.STAGES:
            await self._until(_has_passed)
            await self._conservation(f"{percent} % at home in heller, the gate is passed")
            await state.change(self.ours, "promote", actor=PRESENTER, reason="the gate is passed")
        await self._account()

    async def _start(self, reason: str) -> None:
        await state.start(self.ours, actor=PRESENTER, reason=reason, soak_seconds=0, settings=LIMITS)

    async def _burst(self) -> None:
        """Half of all spends in heller fail from now on: real errors of real operations."""
        await self.ours.execute(_BREAK.format(share=BROKEN_SHARE))
        broken_at = time.monotonic()
        done = await self._until(lambda done: done.state == "rolling_back")
        seconds = time.monotonic() - broken_at
        reason = done.decision.reason if done.decision else ""
        output.out.print(
            f"[red]broken release:[/] {escape(reason)}; rolled back by itself {seconds:.0f} s after it broke",
            markup=True,
        )
        await self.ours.execute(_MEND)
        await self._until(lambda done: done.state == "rolled_back")
        await self._conservation("everyone is back")

    async def _until(self, reached: Callable[[Tick], bool]) -> Tick:
        """Evaluate as the worker does, only more often, until something is so."""
        deadline = time.monotonic() + STEP_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.living.customers.returncode is not None:
                await self.living.gone()
                raise IntegrityError("The customers left before the end.", hint=DEFECT)
            done = await tick(self.sides, move_seconds=MOVE_SECONDS)
            self.frozen += done.moves.frozen
            _refuse_breaches(done.invariants)
            if reached(done):
                return done
            await asyncio.sleep(EVALUATION_SECONDS)
        current = await state.rollout_of(self.ours)
        why = "; ".join(done.decision.waiting_for) if done.decision else ""
        raise IntegrityError(
            f"The rollout stands still: {done.state} at {done.percent} %, {why or (current.reason if current else '')}",
            hint="This machine may be too busy for the demo; run it again.",
        )

    async def _conservation(self, when: str) -> None:
        found = await check_invariants(self.sides)
        _refuse_breaches(found)
        output.out.print(f"{when}: {found.conservation.line()}")

    async def _account(self) -> None:
        """The customers' own record against the balances."""
        told = await self.living.gone()
        if told["wrong"]:
            raise IntegrityError(f"A customer is wrong: {told['wrong'][0]}", hint=DEFECT)
        await self._conservation("the customers have gone")
        counts = Counter(told["counts"])
        output.out.print(
            f"from outside: {sum(told['ways'].values()):,} acknowledged operations ({counts['spend']:,} spends,"
            f" {counts['undo']:,} undone, {counts['buy']:,} purchases, {counts['money back']:,} refunds),"
            f" {counts['moved']:,} times 'moved', {counts['failed']:,} failed;"
            f" each of the {told['customers']:,} customers has exactly what they were told"
        )
        output.out.print(
            f"{len(self.frozen):,} moves; a user was at home nowhere for {statistics.median(self.frozen) * 1000:.0f} ms in the median"
        )


def _has_passed(done: Tick) -> bool:
    """Enough was seen, and everyone whom the stage wants has moved."""
    return done.decision is not None and done.decision.gate_passed and not done.moves.counts.total()


def _refuse_breaches(found: Invariants | None) -> None:
    if found is not None and not found.ok:
        raise IntegrityError(f"An invariant is broken: {found.breaches[0]}", hint=DEFECT)
