"""Bearer tokens of an OpenID provider: its keys by discovery, every claim that matters checked."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import httpx
import jwt

from heller.web.problems import HttpError, Unauthenticated

ALGORITHMS = ("RS256", "ES256")
TIMEOUT_SECONDS = 5.0
KEYS_SECONDS = 3600.0
REFETCH_SECONDS = 30.0
TOKEN_CHARACTERS_MAX = 8_192


class ProviderUnavailable(HttpError):
    """The sign-in provider cannot be reached."""

    code = "sign_in_unavailable"
    status = 503


@dataclass(slots=True)
class _Keys:
    by_id: dict[str, jwt.PyJWK]
    fetched_at: float


class Provider:
    """One issuer. Its keys are kept for an hour, and fetched once more when a token names an unknown one."""

    def __init__(self, issuer: str, *, audience: str, leeway_seconds: int) -> None:
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway_seconds
        self._keys = _Keys({}, float("-inf"))
        self._lock = asyncio.Lock()

    async def claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that is this issuer's, for us, and valid now.

        Raises:
            Unauthenticated: it is not; the message says which check failed.
            ProviderUnavailable: the issuer's keys cannot be had.
        """
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise Unauthenticated("The token is too long.")
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise Unauthenticated(f"Tokens are signed with {' or '.join(ALGORITHMS)}.")
            key = await self._key(str(header.get("kid", "")))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated(f"The token is not valid: {error}") from error
        return claims

    async def _key(self, kid: str) -> jwt.PyJWK:
        age = time.monotonic() - self._keys.fetched_at
        if age > KEYS_SECONDS or (kid not in self._keys.by_id and age > REFETCH_SECONDS):
            async with self._lock:  # whoever waited finds what the first one fetched
                if time.monotonic() - self._keys.fetched_at >= min(age, REFETCH_SECONDS):
                    await self._fetch()
        only = next(iter(self._keys.by_id.values())) if not kid and len(self._keys.by_id) == 1 else None
        found = self._keys.by_id.get(kid, only)
        if found is None:
            raise Unauthenticated("The token is signed with a key that the issuer does not publish.")
        return found

    async def _fetch(self) -> None:
        url = self._issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
                document = (await client.get(url)).raise_for_status().json()
                if document["issuer"] != self._issuer:
                    raise ProviderUnavailable(
                        f"{url} is of the issuer {document['issuer']}, not {self._issuer}.",
                        hint="Correct HELLER_OIDC_ISSUER, to the slash at its end.",
                    )
                keys = (await client.get(document["jwks_uri"])).raise_for_status().json()
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            if self._keys.by_id:  # better the keys of an hour ago than nobody let in
                self._keys.fetched_at = time.monotonic()
                return
            raise ProviderUnavailable(f"The sign-in provider does not answer: {error!r}") from error
        self._keys = _Keys(_usable(keys), time.monotonic())


def _usable(document: dict[str, Any]) -> dict[str, jwt.PyJWK]:
    keys: dict[str, jwt.PyJWK] = {}
    for raw in document.get("keys", []):
        if raw.get("use", "sig") == "sig" and raw.get("kty") in {"RSA", "EC"}:
            try:
                keys[str(raw.get("kid", ""))] = jwt.PyJWK(raw)
            except jwt.PyJWTError:  # of an algorithm that we do not take
                continue
    return keys
