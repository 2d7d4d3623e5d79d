"""Stripe's settings from the environment. A wrong or blank one refuses to start and is named."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from heller.errors import SettingsError

SECRETS_MAX = 8
REQUESTS_PER_SECOND = 20
REQUESTS_PER_SECOND_MAX = 1_000
LOOPBACK = ("127.0.0.1", "localhost", "::1")
KEY_PREFIXES = {
    "test": ("sk_test_", "rk_test_"),
    "live": ("sk_live_", "rk_live_"),
}

VARIABLES = {
    "STRIPE_MODE": "`test` or `live`; must agree with the key.",
    "STRIPE_SECRET_KEY": "The API key (`sk_...` or `rk_...`). Without it heller runs without Stripe.",
    "STRIPE_WEBHOOK_SECRETS": "Signing secrets of our endpoint, newest first, with commas between.",
    "STRIPE_WEBHOOK_SECRET": "The same for one secret, under the name people already have.",
    "STRIPE_ACCOUNTS": "Connected accounts (`acct_...`) whose events count, with commas between.",
    "STRIPE_API_BASE": "The address of a local stand-in of Stripe; test mode only.",
    "STRIPE_CLAWBACK_POLICY": "When spent credits are taken back: `debt` (the balance goes below zero) or `clamp`.",
    "STRIPE_ZERO_AMOUNT": "Purchases that cost nothing (a 100 % coupon): `refuse` (parked) or `allow`.",
    "STRIPE_PROMOTION_CODES": "Promotion codes at checkout: `refuse` or `allow`.",
    "STRIPE_AUTOMATIC_TAX": "Stripe Tax at checkout: `off` or `on`.",
    "STRIPE_RECEIPTS": "Receipts by Stripe's mail: `on` or `off`.",
    "STRIPE_FRAUD_WARNING": "An early fraud warning: `park` it for a person, `freeze` the account, or `ignore` it.",
    "STRIPE_REQUESTS_PER_SECOND": "How many requests a second this process sends to Stripe at most.",
    "STRIPE_DEGRADED_MODE": "While Stripe's API is down, credit a paid checkout on its signed event alone: `off` or `on`.",
}
"""Every variable that is read here, for the reference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeSettings:
    """One mode of one Stripe account. ``webhook_secrets`` are newest first, so that they can be rolled."""

    secret_key: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    mode: Literal["test", "live"]
    accounts: frozenset[str] = frozenset()
    api_base: str | None = None
    clawback_policy: Literal["debt", "clamp"] = "debt"
    allow_zero_amount: bool = False
    allow_promotion_codes: bool = False
    automatic_tax: bool = False
    receipts: bool = True
    fraud_warning: Literal["park", "freeze", "ignore"] = "park"
    requests_per_second: int = REQUESTS_PER_SECOND
    degraded_mode: bool = False

    @property
    def livemode(self) -> bool:
        """Whether real money moves."""
        return self.mode == "live"


def load(environment: Mapping[str, str] | None = None, *, webhooks: bool = True) -> StripeSettings:
    """The settings of this process; only one that takes ``webhooks`` needs their secrets.

    Raises:
        SettingsError: one is missing, blank, contains white space, or contradicts another; the message names it.
    """
    env = os.environ if environment is None else environment
    mode = _choice(env, "STRIPE_MODE", ("test", "live"), default=None)
    key = _word(env, "STRIPE_SECRET_KEY")
    if not key.startswith(KEY_PREFIXES[mode]):
        raise SettingsError(
            f"STRIPE_SECRET_KEY is not a key of {mode} mode: it does not begin with {' or '.join(KEY_PREFIXES[mode])}.",
            hint="STRIPE_MODE and the key must say the same.",
        )
    return StripeSettings(
        secret_key=key,
        webhook_secrets=_secrets(env) if webhooks or _has_secrets(env) else (),
        mode=mode,  # type: ignore[arg-type]  # checked by _choice
        accounts=_accounts(env),
        api_base=_api_base(env, mode),
        clawback_policy=_choice(env, "STRIPE_CLAWBACK_POLICY", ("debt", "clamp"), default="debt"),  # type: ignore[arg-type]  # checked there
        allow_zero_amount=_choice(env, "STRIPE_ZERO_AMOUNT", ("refuse", "allow"), default="refuse")
        == "allow",
        allow_promotion_codes=_choice(env, "STRIPE_PROMOTION_CODES", ("refuse", "allow"), default="refuse")
        == "allow",
        automatic_tax=_choice(env, "STRIPE_AUTOMATIC_TAX", ("off", "on"), default="off") == "on",
        receipts=_choice(env, "STRIPE_RECEIPTS", ("on", "off"), default="on") == "on",
        fraud_warning=_choice(env, "STRIPE_FRAUD_WARNING", ("park", "freeze", "ignore"), default="park"),  # type: ignore[arg-type]  # checked there
        requests_per_second=_rate(env),
        degraded_mode=_choice(env, "STRIPE_DEGRADED_MODE", ("off", "on"), default="off") == "on",
    )


def _word(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if value is None:
        raise SettingsError(f"{name} is not set.", hint="Set it, or start without Stripe.")
    return _checked(value, name)


def _checked(value: str, what: str) -> str:
    if not value.strip():
        raise SettingsError(
            f"{what} is blank.", hint="An empty secret would let anybody sign. Correct or remove it."
        )
    if value != value.strip() or any(c.isspace() for c in value):
        raise SettingsError(
            f"{what} contains white space or a line break.", hint="It was probably pasted with it."
        )
    if not value.isascii() or not value.isprintable():
        raise SettingsError(f"{what} contains a character that no such value has.", hint="Copy it again.")
    return value


def _has_secrets(env: Mapping[str, str]) -> bool:
    return "STRIPE_WEBHOOK_SECRETS" in env or "STRIPE_WEBHOOK_SECRET" in env


def _secrets(env: Mapping[str, str]) -> tuple[str, ...]:
    several, name = "STRIPE_WEBHOOK_SECRETS", "STRIPE_WEBHOOK_SECRET"
    if several in env and name in env:
        raise SettingsError(f"{name} and {several} are both set.", hint="Keep one: several, newest first.")
    name = name if name in env else several
    value = env.get(name)
    if value is None:
        raise SettingsError(
            f"{name} is not set.",
            hint="Give the endpoint's signing secret (whsec_...), newest first; STRIPE_WEBHOOK_SECRET is known too.",
        )
    parts = value.split(",")
    if len(parts) > SECRETS_MAX:
        raise SettingsError(f"{name} has {len(parts)} entries; at most {SECRETS_MAX} are allowed.")
    secrets = tuple(
        _checked(part, name if len(parts) == 1 else f"{name}, entry {place} of {len(parts)},")
        for place, part in enumerate(parts, 1)
    )
    for place, secret in enumerate(secrets, 1):
        if not secret.startswith("whsec_"):
            raise SettingsError(
                f"{name}, entry {place} of {len(parts)}, is not a signing secret: it does not begin with whsec_.",
                hint="It is shown once when the endpoint is made, and under 'Signing secret' in the Dashboard.",
            )
    if len(set(secrets)) != len(secrets):
        raise SettingsError(f"{name} names the same secret twice.", hint="Keep one of them.")
    return secrets


def _accounts(env: Mapping[str, str]) -> frozenset[str]:
    value = env.get("STRIPE_ACCOUNTS")
    if value is None:
        return frozenset()
    accounts = [_checked(part, "An entry of STRIPE_ACCOUNTS") for part in value.split(",")]
    for account in accounts:
        if not account.startswith("acct_"):
            raise SettingsError(f"STRIPE_ACCOUNTS: {account} does not begin with acct_.")
    return frozenset(accounts)


def _api_base(env: Mapping[str, str], mode: str) -> str | None:
    value = env.get("STRIPE_API_BASE")
    if value is None:
        return None
    _checked(value, "STRIPE_API_BASE")
    parts = urlsplit(value)
    is_loopback = parts.hostname in LOOPBACK
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or (parts.scheme == "http" and not is_loopback)
    ):
        raise SettingsError("STRIPE_API_BASE must be an https URL, or http on this machine.")
    if mode == "live":
        raise SettingsError(
            "STRIPE_API_BASE cannot be set in live mode.", hint="It is for a local stand-in of Stripe."
        )
    return value.rstrip("/")


def _choice(env: Mapping[str, str], name: str, known: tuple[str, ...], *, default: str | None) -> str:
    value = env.get(name, default)
    if value is None:
        raise SettingsError(f"{name} is not set.", hint=f"Set it to {' or '.join(known)}.")
    if value not in known:
        raise SettingsError(f"{name} is {value!r}; it must be {' or '.join(known)}.")
    return value


def _rate(env: Mapping[str, str]) -> int:
    value = env.get("STRIPE_REQUESTS_PER_SECOND", str(REQUESTS_PER_SECOND))
    if not value.isdecimal() or not 1 <= int(value) <= REQUESTS_PER_SECOND_MAX:
        raise SettingsError(
            f"STRIPE_REQUESTS_PER_SECOND is {value!r}; it must be a number from 1 to {REQUESTS_PER_SECOND_MAX}."
        )
    return int(value)
