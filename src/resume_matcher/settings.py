"""Settings of the application from the environment; heller's own are heller's."""

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from heller.errors import SettingsError
from resume_matcher.errors import InvalidInput
from resume_matcher.matching import aliases


class MatcherSettings(BaseSettings):
    """What ``heller-resume-matcher`` reads."""

    model_config = SettingsConfigDict(
        env_file=None, extra="ignore", frozen=True, env_prefix="RESUME_MATCHER_"
    )

    hold_seconds: int = Field(default=180, ge=2, le=3600)
    work_processes: int = Field(default=2, ge=1, le=32)
    llm_model: str = Field(default="", max_length=200)
    llm_seconds: float = Field(default=20, gt=0, le=300)


def load() -> MatcherSettings:
    """The settings of this process.

    Raises:
        SettingsError: one is out of bounds, or the alias file cannot be used; the message names it.
    """
    try:
        aliases.named()  # here, where whoever starts it reads why; the work processes use it
        return MatcherSettings()
    except InvalidInput as error:
        raise SettingsError(error.message, hint=error.hint) from None
    except ValidationError as error:
        wrong = "; ".join(f"RESUME_MATCHER_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(f"The environment is not usable: {wrong}", hint="Correct or unset it.") from None
