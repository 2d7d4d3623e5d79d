"""Settings from the environment (twelve-factor). Secrets never show in a repr or a log."""

from functools import lru_cache
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from heller.errors import SettingsError


class Settings(BaseSettings):
    """What heller reads from the environment; every field can be given on the command line too."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True)

    pool_max: int = Field(
        default=8, ge=1, le=64, validation_alias="HELLER_POOL_MAX",
        description="Connections to the database that one process keeps at most.",
    )  # fmt: skip
    statement_timeout_seconds: float = Field(
        default=30, gt=0, le=3600, validation_alias="HELLER_STATEMENT_TIMEOUT_SECONDS",
        description="A statement that takes longer is cancelled.",
    )  # fmt: skip
    traces: Literal["auto", "console", "off"] = Field(
        default="auto", validation_alias="HELLER_TRACES",
        description="OpenTelemetry traces of `heller serve` and `heller worker`, with the extra `traces`: `auto` sends them to"
        " OTEL_EXPORTER_OTLP_ENDPOINT where that is set, `console` prints them, `off`.",
    )  # fmt: skip
    traceback: bool = Field(
        default=False, validation_alias="HELLER_TRACEBACK",
        description="Where in the code an error came from that no command foresaw, for a report of it.",
    )  # fmt: skip


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: a value is not of its type or out of bounds; the message names the variable.
    """
    try:
        return Settings()
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise SettingsError(
            f"The environment is not usable: {problems}", hint="Correct or unset it."
        ) from None
