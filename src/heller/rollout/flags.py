"""An OpenFeature provider: applications on any flag vendor's interface read the rollout as the flag ``heller-home``.

The boolean answers whether the user is at home in heller *now* (the stored home), not what the plan wants; the variant
says which. ``heller-planned`` answers the plan.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, GeneralError, TargetingKeyMissingError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from heller.ledger import Heller
from heller.rollout.state import Rollout

HOME_FLAG = "heller-home"
PLAN_FLAG = "heller-planned"
T = TypeVar("T")


class RolloutProvider(AbstractProvider):
    """Reads homes from heller; the targeting key is the user's account id. Use the asynchronous methods in a loop."""

    def __init__(self, heller: Heller, *, rollout: Rollout | None = None) -> None:
        super().__init__()
        self._heller, self._rollout = heller, rollout

    def get_metadata(self) -> Metadata:
        """The provider's name."""
        return Metadata(name="heller rollout")

    async def resolve_boolean_details_async(
        self,
        flag_key: str,
        default_value: bool,  # noqa: ARG002  # OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """True when the user is at home in heller (or planned to be)."""
        user = _user(evaluation_context)
        if flag_key == PLAN_FLAG:
            email = (evaluation_context.attributes if evaluation_context else {}).get("email")
            planned = self._rollout is not None and self._rollout.plans(user, str(email) if email else None)
            return FlagResolutionDetails(
                value=planned, variant="heller" if planned else "legacy", reason=Reason.SPLIT
            )
        home = await self._home(flag_key, user)
        return FlagResolutionDetails(value=home == "heller", variant=home, reason=Reason.TARGETING_MATCH)

    async def resolve_string_details_async(
        self,
        flag_key: str,
        default_value: str,  # noqa: ARG002  # OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """heller, legacy or moving."""
        home = await self._home(flag_key, _user(evaluation_context))
        return FlagResolutionDetails(value=home, variant=home, reason=Reason.TARGETING_MATCH)

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """As the asynchronous one, for callers outside a loop."""
        return _outside_a_loop(
            self.resolve_boolean_details_async(flag_key, default_value, evaluation_context)
        )

    def resolve_string_details(
        self,
        flag_key: str,
        default_value: str,  # OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[str]:
        """As the asynchronous one, for callers outside a loop."""
        return _outside_a_loop(self.resolve_string_details_async(flag_key, default_value, evaluation_context))

    def resolve_integer_details(
        self,
        flag_key: str,
        default_value: int,  # noqa: ARG002  # OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,  # noqa: ARG002  # as above
    ) -> FlagResolutionDetails[int]:
        """A home is no number."""
        raise TypeMismatchError(f"{flag_key} is a boolean or a string")

    def resolve_float_details(
        self,
        flag_key: str,
        default_value: float,  # noqa: ARG002  # OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,  # noqa: ARG002  # as above
    ) -> FlagResolutionDetails[float]:
        """A home is no number."""
        raise TypeMismatchError(f"{flag_key} is a boolean or a string")

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],  # noqa: ARG002  # OpenFeature's signature
        evaluation_context: EvaluationContext | None = None,  # noqa: ARG002  # as above
    ) -> FlagResolutionDetails[Sequence[FlagValueType] | Mapping[str, FlagValueType]]:
        """A home is no object."""
        raise TypeMismatchError(f"{flag_key} is a boolean or a string")

    async def _home(self, flag_key: str, user: str) -> str:
        if flag_key != HOME_FLAG:
            raise FlagNotFoundError(f"heller knows {HOME_FLAG} and {PLAN_FLAG}, not {flag_key}")
        home = (await self._heller.route(user))["home"]
        return "legacy" if home == "unknown" else str(home)


def _user(context: EvaluationContext | None) -> str:
    if context is None or not context.targeting_key:
        raise TargetingKeyMissingError("the targeting key is the user's account id")
    return context.targeting_key


def _outside_a_loop(work: Coroutine[Any, Any, T]) -> T:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    work.close()
    raise GeneralError("inside an event loop, use the asynchronous methods of OpenFeature")
