"""The optional language model, by LiteLLM: off unless ``RESUME_MATCHER_LLM_MODEL`` names one, and never needed.

It words lines for the suggestions of an improvement. Whatever goes wrong with it, the suggestions stand as they were
made here, and the result says so.
"""

import asyncio
import os
from contextlib import aclosing
from typing import Any

import structlog

from heller.errors import SettingsError
from resume_matcher.errors import MatcherError, WorkFailed, WorkTimedOut
from resume_matcher.matching.wording import ANSWER_CHARACTERS_MAX
from resume_matcher.work import Workshop

AT_ONCE_MAX = 8  # analyses that may wait for it, beside those that are worked on here
ANSWER_TOKENS_MAX = 4_000
log = structlog.get_logger("resume_matcher.llm")


class LanguageModel:
    """One model behind LiteLLM; its key and address are in the provider's own variables (OPENAI_API_KEY, ...)."""

    def __init__(self, model: str, *, seconds_max: float) -> None:
        """Load LiteLLM, which takes seconds: at the start, not in a request.

        Raises:
            SettingsError: LiteLLM is not installed.
        """
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it fetches prices at import
        try:
            import litellm  # noqa: PLC0415  # an extra, and heavy
        except ImportError:
            raise SettingsError(
                f"RESUME_MATCHER_LLM_MODEL is {model}, but LiteLLM is not installed.",
                hint="Install heller[resume-matcher,llm], or unset it.",
            ) from None
        litellm.telemetry = False
        litellm.suppress_debug_info = True  # it prints advice to standard output otherwise
        self.name = model
        self._complete = litellm.acompletion
        self._seconds_max = seconds_max

    async def word(
        self, workshop: Workshop, result: dict[str, Any], *, text: str, content: dict[str, Any], job: str, seconds: float
    ) -> dict[str, Any]:  # fmt: skip
        """A result whose suggestions the model has worded, or as it was; ``llm`` says which model and how it went.

        At most ``seconds`` and ``seconds_max``. What the model says is read in a work process, like all that strangers send.
        """
        suggestions, reason = result["suggestions"], ""
        about = {"suggestions": suggestions, "text": text, "content": content}
        seconds = min(seconds, self._seconds_max)
        try:
            if seconds <= 0:
                raise WorkTimedOut("No time is left for the language model.", reason="llm_time")
            async with asyncio.timeout(seconds):
                messages = await workshop.do("ask", **about, job=job)
                answer = await self._answer(messages, seconds)
                suggestions = await workshop.do("word", **about, answer=answer)
        except TimeoutError:
            reason = "llm_time"
        except MatcherError as error:
            reason = error.reason if error.reason.startswith("llm_") else "llm_failed"
        except Exception as error:  # noqa: BLE001  # LiteLLM raises what each provider's client raises
            reason = "llm_failed"
            log.warning("the language model did not answer", model=self.name, error=type(error).__name__)
        if reason:
            log.info("an improvement was worded without the language model", model=self.name, reason=reason)
        return result | {"suggestions": suggestions, "llm": {"model": self.name, "reason": reason}}

    async def _answer(self, messages: list[dict[str, str]], seconds: float) -> str:
        """The text of the answer, read piece by piece up to the limit."""
        stream = await self._complete(
            model=self.name,
            messages=messages,
            response_format={"type": "json_object"},
            temperature=0,
            max_tokens=ANSWER_TOKENS_MAX,
            timeout=seconds,
            num_retries=0,
            max_retries=0,
            drop_params=True,
            stream=True,
        )
        answer = ""
        async with aclosing(stream):
            async for piece in stream:
                if piece.choices:
                    answer += piece.choices[0].delta.content or ""
                if len(answer) > ANSWER_CHARACTERS_MAX:
                    raise WorkFailed("The language model answered too much.", reason="llm_too_long")
        return answer
