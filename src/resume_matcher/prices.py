"""What each kind of analysis costs, in one table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """``kind`` as stored, ``credits`` it costs, ``task`` that makes it, ``reason`` on the account."""

    kind: str
    credits: int
    task: str
    reason: str


PRICES = {
    price.kind: price
    for price in (
        Price("match", 5, "rank", "job match"),
        Price("analysis", 10, "analyse", "resume analysis"),
        Price("improvement", 15, "improve", "resume improvement"),
    )
}
