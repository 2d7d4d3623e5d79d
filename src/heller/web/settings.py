"""Settings of ``heller serve`` from the environment. Secrets never show in a repr or a log."""

import ipaddress
import os
import secrets
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from heller.errors import SettingsError

SECRET_CHARACTERS_MIN = 32
SESSION_SECONDS = 8 * 3600
BODY_BYTES_MAX = 4_194_304
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})

AUTH0 = {
    "AUTH0_DOMAIN": "oidc_issuer",
    "AUTH0_CLIENT_ID": "oidc_client_id",
    "AUTH0_CLIENT_SECRET": "oidc_client_secret",
    "AUTH0_AUDIENCE": "oidc_audience",
}
"""Auth0's own variables, which an application of its customers has already; ours win over them."""

Names = Annotated[tuple[str, ...], NoDecode]


class WebSettings(BaseSettings):
    """What the web processes read from the environment."""

    model_config = SettingsConfigDict(
        env_file=None, extra="ignore", frozen=True, env_prefix="HELLER_", populate_by_name=True
    )

    host: str = Field(default="127.0.0.1", description="Address to listen at.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port to listen at.")
    public_url: str = Field(
        default="",
        description="The address people and Stripe reach this at, such as https://credits.example.com.",
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Signs the sessions; 32 characters or more, the same in all processes.",
    )
    development_sign_in: bool = Field(
        default=False, description="Sign in as anybody by a click; only bound to this machine."
    )
    oidc_issuer: str = Field(
        default="",
        description="The OpenID provider, such as https://your-tenant.eu.auth0.com/; or `AUTH0_DOMAIN`, without https.",
    )
    oidc_client_id: str = Field(
        default="", description="The application's client id at the provider; or `AUTH0_CLIENT_ID`."
    )
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""),
        description="The application's client secret at the provider; or `AUTH0_CLIENT_SECRET`.",
    )
    oidc_audience: str = Field(
        default="",
        description="The audience that bearer tokens must name; or `AUTH0_AUDIENCE`; without either our own address.",
    )
    oidc_role_claim: str = Field(
        default="https://heller/role",
        description="The claim that says who is support, operator or admin; without it one is a customer.",
    )
    oidc_leeway_seconds: int = Field(
        default=30, ge=0, le=300, description="How far the provider's clock may be from ours."
    )
    cors_origins: Names = Field(
        default=(), description="Sites whose pages may call the API in a browser, with commas between."
    )
    rate_per_minute: int = Field(
        default=600,
        ge=0,
        le=1_000_000,
        description="Requests a minute of one person; 0 is no limit. A key has a limit of its own.",
    )

    legacy_webhook_url: str = Field(
        default="",
        description="The legacy system's Stripe endpoint: deliveries of users at home there are handed on to it.",
    )
    legacy_webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="What signs those anew, as the legacy endpoint's own secret."
    )

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @model_validator(mode="after")
    def _agree(self) -> "WebSettings":
        if self.development_sign_in and not is_loopback(self.host):
            raise ValueError(
                "HELLER_DEVELOPMENT_SIGN_IN lets anybody be anybody; it works only bound to 127.0.0.1 or ::1"
            )
        secret = self.secret_key.get_secret_value()
        if secret and len(secret) < SECRET_CHARACTERS_MIN:
            raise ValueError(f"HELLER_SECRET_KEY is shorter than {SECRET_CHARACTERS_MIN} characters")
        if self.legacy_webhook_url and not self.legacy_webhook_secret.get_secret_value():
            raise ValueError(
                "HELLER_LEGACY_WEBHOOK_URL is set without HELLER_LEGACY_WEBHOOK_SECRET, which signs for it"
            )
        if self.oidc_client_id and not self.oidc_issuer:
            raise ValueError("HELLER_OIDC_CLIENT_ID is set without HELLER_OIDC_ISSUER")
        if self.oidc_issuer and not secret:
            raise ValueError("HELLER_OIDC_ISSUER is set without HELLER_SECRET_KEY, which signs the sessions")
        return self

    @property
    def address(self) -> str:
        """The URL people reach this at, without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def is_secure(self) -> bool:
        """Whether people come by https, so that cookies may insist on it."""
        return self.address.startswith("https://")

    @property
    def session_secret(self) -> str:
        """What signs sessions: the setting, or for development a new one in each process."""
        return self.secret_key.get_secret_value() or _process_secret


_process_secret = secrets.token_urlsafe(32)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _of_auth0() -> dict[str, object]:
    """What Auth0's variables say where ours say nothing."""
    found: dict[str, object] = {
        field: os.environ[name]
        for name, field in AUTH0.items()
        if os.environ.get(name) and f"HELLER_{field.upper()}" not in os.environ
    }
    if "oidc_issuer" in found:
        found["oidc_issuer"] = f"https://{found['oidc_issuer']}/"
    return found


def load(**given: object) -> WebSettings:
    """The settings of this process; ``given`` ones win over the environment.

    Raises:
        SettingsError: one is missing, out of bounds or contradicts another; the message names it.
    """
    chosen = _of_auth0() | {name: value for name, value in given.items() if value is not None}
    try:
        return WebSettings(**chosen)  # type: ignore[arg-type]  # checked by pydantic
    except ValidationError as error:
        problems = "; ".join(
            f"{'HELLER_' + '.'.join(map(str, e['loc'])).upper() + ': ' if e['loc'] else ''}{e['msg']}"
            for e in error.errors()
        )
        raise SettingsError(
            f"The environment is not usable: {problems}", hint="Correct or unset it."
        ) from None
