"""The report of a soak: memory judged, a page in Markdown, a plot."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FLAT_MB, FLAT_SHARE = 4.0, 0.05
SAMPLES_MIN = 6
STAND_IN = "Stripe's stand-in"  # keeps every object in memory, which is what it is for


def memory(samples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The slope of each process's resident memory over the second half of the run.

    Flat: by the fitted line it grew by less than 4 MB or 5 %, whichever is more. Not judged: processes that were
    restarted, and the stand-in.
    """
    half = [one for one in samples if one["at"] >= samples[-1]["at"] / 2] if samples else []
    found = []
    for name in sorted({name for one in samples for name in one["rss_mb"]}):
        points = [(one["at"], one["rss_mb"][name]) for one in half if one["rss_mb"].get(name)]
        if len(points) < 2:
            continue
        slope = statistics.linear_regression(*zip(*points, strict=True)).slope
        middle = statistics.median(value for _, value in points)
        growth = slope * (points[-1][0] - points[0][0])
        restarted = len({one["generation"].get(name) for one in samples}) > 1
        judged = not restarted and name != STAND_IN and len(points) >= SAMPLES_MIN
        found.append(
            {"name": name, "median_mb": round(middle, 1), "growth_mb": round(growth, 2), "mb_an_hour": round(slope * 3600, 1),
             "restarted": restarted, "judged": judged, "flat": growth <= max(FLAT_MB, FLAT_SHARE * middle)}
        )  # fmt: skip
    return found


def write(result: dict[str, Any], path: Path) -> None:
    """The page, and beside it the plot where matplotlib is installed."""
    picture = path.with_name(f"{path.stem}.png")
    drawn = plot(result, picture)
    path.write_text("\n".join(_page(result, picture.name if drawn else None)) + "\n", encoding="utf-8")


def _page(result: dict[str, Any], picture: str | None) -> list[str]:
    counts, told = result["traffic"]["counts"], result["told"]
    ways = sum(result["traffic"]["ways"].values())
    away = [one for one in result["samples"] if "away" in one]
    breaches = sum(bool(one.get("breaches")) for one in result["samples"])
    verified = [one for one in result["checks"] if one["code"] == 0]
    return [
        "# Soak: everything at once",
        "",
        f"What a run of **{result['minutes']} minutes** did and found. This page is written by the run itself.",
        "An hour is the length to run before a release; a shorter run says less about memory.",
        "",
        "```",
        "python benchmarks/soak.py --minutes 60 --out soak.json --report docs/performance-soak.md",
        "```",
        "",
        "## What runs",
        f"- One embedded PostgreSQL with its default durability; a migrated legacy sample of {result['users']:,} users, fenced.",
        f"- {result['customers']:,} customers who sign in, spend, undo, buy and get money back, {result['rate']:g} operations a second, through the",
        "  legacy application and through heller's facade.",
        "- Programs at the API, 28 accounts, which repeat a call until it is answered: spends, holds that are captured, captured in parts, released and",
        "  forgotten, grants that expire in the run, automatic top-ups, and disputes of those, won and lost.",
        ("- Stripe's stand-in: each event goes to both web processes; "
        f"{result['faults']['duplicate']:.0%} of the deliveries are made twice, {result['faults']['lose_answer']:.0%} of the answers and"),
        f"  {result['faults']['lose_attempt']:.0%} of the attempts are lost, each comes up to {result['faults']['delay_seconds_max']:g} s late and out of order.",
        "- Two `heller serve`, two `heller worker`. One of each is stopped or killed again and again; the other lives through the run.",
        "- Handovers and returns by percent, and rollouts: 10 -> 50 -> 100 % promoted by the guardrails; rolled back by hand; rolled back by the",
        "  guardrails when a lock makes heller slow at 50 %. PostgreSQL is restarted and killed, also in the middle of a handover and of a rollback.",
        "",
        "## How it is judged",
        "Customers and programs write down what they were told, outside both systems. At the end every balance is compared with that record. Then everybody",
        "is handed over to heller, and each spend and each payment is looked for by its own name: there once, with its credits, and none that nobody asked",
        "for. Programs' accounts must agree by kind; nothing may be held, nothing outlive its expiry; every top-up that Stripe was paid for is credited. heller's",
        "own invariants and `heller verify` are asked on the way and at the end. A traceback in a log, a process that ends by itself, memory that grows: findings.",
        "",
        "## Result",
        (f"**{'Clean' if result['ok'] else 'Not clean'}.** Began {result['began']}, {result['cores']} cores shared with other work: load average "
        f"{result['load'][0][0]:.1f} at the start, {result['load_median']:.1f} in the median, {result['load'][1][0]:.1f} at the end."),
        "",
        "| | |",
        "|---|---|",
        f"| acknowledged operations of customers | {ways:,} ({counts.get('spend', 0):,} spends, {counts.get('undo', 0):,} undone, {counts.get('buy', 0):,} purchases, {counts.get('money back', 0):,} refunds) |",
        f"| answered with an error or not at all | {counts.get('failed', 0):,}; {told.get('counts', {}).get('moved', 0):,} times told to go to the other home |",
        (f"| customers whose balance is not what was acknowledged | {_wrong(result)} of {result['customers']:,}; for {result['customers_without_doubt']:,} of them nothing was left unanswered, so it agrees to the credit; "
        f"{result['waiting']:,} payments wait for their buyer to come home |"),
        f"| the same by name, when all had been handed over | {_by_name(result['operations'])} |",
        f"| programs | {_counts(result['programs']['counts'])}; {result['programs']['payments']:,} automatic top-ups paid; {result['programs']['doubtful']:,} credits in doubt |",
        f"| webhooks | {result['inbox'].get('events') or 0:,} events stored, {result['inbox'].get('deliveries') or 0:,} deliveries |",
        f"| all drained after | {result['settled_seconds']:g} s; inbox then: {result['queue'].get('pending')} pending, {result['queue'].get('dead')} dead, {_parked(result['parked'])} |",
        f"| invariants | {_words(result['invariants'])}; looked at {len(result['samples']) - len(away):,} times on the way, {breaches} with a breach ({len(away)} times PostgreSQL was away) |",
        f"| verify | {_words(result['verify'])}; {len(verified)} of {len(result['checks'])} on the way were clean |",
        f"| lines in the logs of heller and of the application | {', '.join(f'{count:,} {level}' for level, count in sorted(result['logs'].items()))}; tracebacks are findings |",
        f"| idle in a transaction at the end | {result['idle_in_transaction']} |",
        "",
        *(["## Findings", *(f"- {finding[:500]}" for finding in result["findings"]), ""] if result["findings"] else []),
        "## Memory",
        "Resident memory of each process in the second half of the run. Flat: by the fitted line it grew by less than 4 MB or 5 %.",
        "Processes that were restarted are not judged, nor is the stand-in, which keeps every object.",
        "",
        "| process | median | growth over the second half | slope | |",
        "|---|---|---|---|---|",
        *(
            f"| {one['name']} | {one['median_mb']:.0f} MB | {one['growth_mb']:+.1f} MB | {one['mb_an_hour']:+.0f} MB/h | "
            f"{('flat' if one['flat'] else '**grows**') if one['judged'] else 'not judged'} |"
            for one in result["memory"]
        ),
        "",
        *([f"![Memory of each process, the inbox and the homes over the run; lines mark restarts]({picture})", ""] if picture else []),
        "## What was done to it",
        "",
        "One after the other, every 20 seconds, round and round. The seconds are upper bounds: the machine had other work.",
        "",
        "| what | times | took, median and longest | answer, the last time |",
        "|---|---|---|---|",
        *_acts(result["acts"]),
    ]  # fmt: skip


def _acts(acts: Sequence[dict[str, Any]]) -> list[str]:
    rows = []
    for name in dict.fromkeys(one["act"] for one in acts):
        same = [one for one in acts if one["act"] == name]
        seconds = [one["seconds"] for one in same]
        rows.append(
            f"| {name} | {len(same)} | {statistics.median(seconds):.1f} s, {max(seconds):.1f} s | {_cell(same[-1]['answer'])} |"
        )
    return rows


def _parked(reasons: dict[str, int]) -> str:
    words = {
        "no_order": "sold by the legacy application",
        "home_legacy": "bought here and paid when the buyer had gone back",
    }
    return "parked: " + (
        ", ".join(f"{count} {words.get(why, why)}" for why, count in sorted(reasons.items())) or "none"
    )


def _by_name(found: dict[str, int]) -> str:
    return (
        (
            f"each of {found['spends']:,} spends and {found['payments']:,} payments is there once"
            if not found["wrong"]
            else f"**{found['wrong']:,} wrong**"
        )
        + f"; of {found['doubtful']:,} spends without an answer {found['doubtful_done']:,} had been done; {found['exact']:,} balances follow to the credit"
    )


def _counts(counts: dict[str, int]) -> str:
    words = {"spend": "spends", "capture": "holds captured", "part": "captured in parts", "release": "released", "forget": "left to expire",
             "expire": "expiring grants", "top up": "spends of accounts with a rule"}  # fmt: skip
    return ", ".join(
        f"{count:,} {words.get(name, name)}"
        for name, count in sorted(counts.items(), key=lambda one: -one[1])
    )


def _wrong(result: dict[str, Any]) -> int:
    return sum(finding.startswith("customer ") for finding in result["findings"])


def _words(answer: Any) -> str:
    if not isinstance(answer, dict):
        return "no answer"
    return "clean" if answer.get("ok", answer.get("is_ok")) else "NOT clean"


def _cell(answer: Any) -> str:
    if isinstance(answer, dict):
        answer = ", ".join(f"{name} {_cell(value)}" for name, value in answer.items()) or "nothing to do"
    return "done" if answer is None else str(answer).replace("|", "/").replace("\n", " ")[:240]


def plot(result: dict[str, Any], path: Path) -> bool:
    """Memory above, the inbox and the users at home in heller below; False without matplotlib."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - optional
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - as above

    samples = result["samples"]
    minutes = [one["at"] / 60 for one in samples]
    figure, (above, below) = plt.subplots(2, 1, figsize=(9, 6), layout="constrained", sharex=True)
    for name in sorted({name for one in samples for name in one["rss_mb"]}):
        above.plot(minutes, [one["rss_mb"].get(name) or None for one in samples], label=name, linewidth=1.2)
    above.set_ylabel("resident memory, MB")
    above.set_ylim(bottom=0)
    above.legend(fontsize=7, ncols=4)
    below.plot(
        minutes,
        [(one.get("queue") or {}).get("pending") for one in samples],
        label="events that wait",
        color="tab:red",
    )
    other = below.twinx()
    other.plot(
        minutes,
        [(one.get("homes") or {}).get("heller") for one in samples],
        label="users at home in heller",
        color="tab:blue",
    )
    below.set_ylabel("events that wait")
    other.set_ylabel("users at home in heller")
    below.set_xlabel("minutes; dotted: a web or worker process restarted; dashed: PostgreSQL")
    for act in result["acts"]:
        for side in (above, below):
            if act["act"].startswith("PostgreSQL"):
                side.axvline(act["at"] / 60, color="gray", linestyle="--", linewidth=0.8)
            elif act["act"].startswith(("web", "worker")):
                side.axvline(act["at"] / 60, color="gray", linestyle=":", linewidth=0.6)
    below.legend(loc="upper left", fontsize=7)
    other.legend(loc="upper right", fontsize=7)
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return True
