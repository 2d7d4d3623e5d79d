"""Who calls the API: an API key, or a person's bearer token of the OIDC provider. Never a cookie."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from heller.database import Database, call
from heller.web import keys
from heller.web.oidc import Provider
from heller.web.principal import ROLE_SCOPES, SCOPES, Principal, Role, Via
from heller.web.problems import Unauthenticated
from heller.web.settings import WebSettings

KEY_SECONDS = 10.0
TOKEN_SECONDS = 60.0
STRANGER_SECONDS = 5.0
REMEMBERED_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Known:
    """A principal, its requests a minute (None: no limit), and until when that is believed without asking again."""

    principal: Principal
    rate_per_minute: int | None
    until: float


class Authenticator:
    """Finds the principal of an ``Authorization`` header; remembers it for some seconds, so that it costs a lookup."""

    def __init__(self, database: Database, settings: WebSettings) -> None:
        self._database = database
        self._settings = settings
        self._provider = (
            Provider(
                settings.oidc_issuer,
                audience=settings.oidc_audience or settings.address,
                leeway_seconds=settings.oidc_leeway_seconds,
            )
            if settings.oidc_issuer
            else None
        )
        self._known: OrderedDict[bytes, Known] = OrderedDict()

    def remembered(self, header: bytes) -> Known | None:
        """Whom this header named a moment ago."""
        known = self._known.get(header)
        return known if known is not None and known.until > time.monotonic() else None

    async def known(self, header: bytes | None) -> Known:
        """The principal of an ``Authorization`` header.

        Raises:
            Unauthenticated: there is none, or it is not believed.
            ProviderUnavailable: the provider's keys cannot be had.
        """
        if header is None:
            raise Unauthenticated(
                "Say who you are.", hint="Authorization: Bearer, with an API key or a token."
            )
        found = self.remembered(digest := _digest(header)) or await self._find(header)
        self._known[digest] = found
        self._known.move_to_end(digest)
        if len(self._known) > REMEMBERED_MAX:
            self._known.popitem(last=False)
        return found

    async def _find(self, header: bytes) -> Known:
        scheme, _, token = header.decode("latin-1").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("The Authorization header is not of the form 'Bearer ...'.")
        if keys.is_key(token):
            return await self._of_key(token)
        if self._provider is None:
            raise Unauthenticated("Only API keys are taken here: no OIDC issuer is set up.")
        claims = await self._provider.claims(token)
        principal = await principal_of(self._database, self._settings, claims, via="bearer")
        lasts = min(TOKEN_SECONDS, max(0.0, float(claims["exp"]) - time.time()))
        if principal.is_customer and principal.user is None:
            lasts = min(lasts, STRANGER_SECONDS)  # the account may be opened any moment
        return Known(principal, self._settings.rate_per_minute or None, time.monotonic() + lasts)

    async def _of_key(self, token: str) -> Known:
        async with self._database.connection() as connection:
            found = await keys.use(connection, token)
        if found is None:
            raise Unauthenticated("The API key is unknown, revoked or expired.")
        return Known(found[0], found[1], time.monotonic() + KEY_SECONDS)


def _digest(header: bytes) -> bytes:
    return hashlib.blake2b(header, digest_size=16).digest()


async def principal_of(
    database: Database, settings: WebSettings, claims: Mapping[str, Any], *, via: Via
) -> Principal:
    """Who the claims of a verified token speak of: role by the role claim, user by subject or verified e-mail.

    A person gets the scopes of the role, narrowed to those of ours that the token names. A program (client
    credentials) gets exactly the scopes that the provider gave it.
    """
    subject = str(claims["sub"])
    named = _words(claims.get("scope")) | _words(claims.get("permissions"))
    ours = frozenset(named & SCOPES.keys())
    if _is_program(claims):
        return Principal(subject=subject, role=Role.operator, scopes=ours, name=subject, via=via)
    role = max(
        (Role[word] for word in _words(claims.get(settings.oidc_role_claim)) if word in Role.__members__),
        default=Role.customer,
    )
    email = str(claims["email"]) if claims.get("email") and claims.get("email_verified") is True else None
    async with database.connection() as connection:
        user = await call(connection, "user_of_subject", subject=subject, email=email)
    return Principal(
        subject=subject,
        role=role,
        scopes=ROLE_SCOPES[role] & ours if ours else ROLE_SCOPES[role],
        user=user,
        name=claims.get("name") or email or subject,
        email=email,
        via=via,
    )


def _is_program(claims: Mapping[str, Any]) -> bool:
    if claims.get("gty") == "client-credentials":
        return True
    client = claims.get("azp") or claims.get("client_id")
    return client is not None and claims["sub"] in {client, f"{client}@clients"}


def _words(value: Any) -> set[str]:
    if isinstance(value, str):
        return set(value.split())
    return {str(word) for word in value} if isinstance(value, list) else set()
