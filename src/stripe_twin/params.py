"""Parameters as Stripe takes them: nested keys in a form, checked against a model, refused with Stripe's words."""

import json
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stripe_twin.errors import ParameterError
from stripe_twin.shapes import Json

DEPTH_MAX = 12
METADATA_KEYS_MAX = 50
METADATA_KEY_CHARACTERS_MAX = 40
METADATA_VALUE_CHARACTERS_MAX = 500

Metadata = dict[str, str] | str
Amount = Annotated[int, Field(ge=0, le=99_999_999_999)]


class Params(BaseModel):
    """Base of all parameter models: unknown names are refused, an empty value means none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_none(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {k: None if v == "" and k != "metadata" else v for k, v in values.items()}

    def given(self, *names: str) -> Json:
        """The named parameters that the caller sent, for laying over an object."""
        return {n: getattr(self, n) for n in names if n in self.model_fields_set}


class Range(Params):
    """A range of times."""

    gt: int | None = None
    gte: int | None = None
    lt: int | None = None
    lte: int | None = None

    def holds(self, at: int) -> bool:
        """Whether a time lies in the range."""
        return (
            (self.gt is None or at > self.gt)
            and (self.gte is None or at >= self.gte)
            and (self.lt is None or at < self.lt)
            and (self.lte is None or at <= self.lte)
        )


class PageParams(Params):
    """What every list takes."""

    limit: Annotated[int, Field(ge=1, le=100)] = 10
    starting_after: str | None = None
    ending_before: str | None = None


class CreatedPageParams(PageParams):
    """A list that can be narrowed by time."""

    created: Range | int | None = None

    def within(self, item: Json) -> bool:
        """Whether an object was created in the asked time."""
        if self.created is None:
            return True
        if isinstance(self.created, int):
            return bool(item["created"] == self.created)
        return self.created.holds(item["created"])


Model = TypeVar("Model", bound=Params)


def _listed(value: Any) -> Any:
    """Turn hashes whose keys are numbers into lists, all the way down; metadata stays a hash."""
    if not isinstance(value, dict):
        return value
    if value and all(key.isdigit() for key in value):
        return [_listed(value[key]) for key in sorted(value, key=int)]
    return _with_lists(value)


def _with_lists(values: Json) -> Json:
    return {key: value if key == "metadata" else _listed(value) for key, value in values.items()}


def decoded(text: str) -> Json:
    """The nested parameters of a form or query string: ``a[b][0]=c`` becomes ``{"a": {"b": ["c"]}}``."""
    root: Json = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, *rest = name.replace("]", "").split("[")
        if len(rest) > DEPTH_MAX:
            raise ParameterError("Invalid request: parameters are nested too deeply", param=head)
        place, key = root, head
        for part in rest:
            inner = place.setdefault(key, {})
            if not isinstance(inner, dict):
                raise ParameterError(f"Invalid {head}: it is given both as a value and as a hash", param=head)
            place, key = inner, part or str(len(inner))
        place[key] = value
    return _with_lists(root)


def decoded_json(body: bytes) -> Json:
    """The parameters of a v2 request."""
    try:
        values = json.loads(body or b"{}")
    except ValueError as error:
        raise ParameterError("Invalid JSON in the request body") from error
    if not isinstance(values, dict):
        raise ParameterError("The request body must be a JSON object")
    return values


def checked(model: type[Model], raw: Json) -> Model:
    """The parameters as a model; else the first fault in Stripe's words."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = [str(part) for part in first["loc"] if not str(part)[:1].isupper() and part != "int"]
        param = where[0] + "".join(f"[{part}]" for part in where[1:]) if where else None
        if first["type"] == "extra_forbidden":
            message, code = f"Received unknown parameter: {param}", "parameter_unknown"
        elif first["type"] == "missing":
            message, code = f"Missing required param: {param}.", "parameter_missing"
        elif first["type"].startswith("int"):
            message, code = f"Invalid integer: {first['input']}", "parameter_invalid_integer"
        else:
            message, code = f"Invalid {param}: {first['msg']}", None
        raise ParameterError(message, code=code, param=param) from error


def merged_metadata(present: dict[str, str], given: Metadata | None) -> dict[str, str]:
    """Metadata after an update: given keys are laid over, an empty value removes its key, "" removes all."""
    if given is None:
        return dict(present)
    if isinstance(given, str):
        return {}
    merged = {key: value for key, value in (present | given).items() if value != ""}
    if len(merged) > METADATA_KEYS_MAX:
        raise ParameterError(f"Metadata can have up to {METADATA_KEYS_MAX} keys", param="metadata")
    for key, value in merged.items():
        if len(key) > METADATA_KEY_CHARACTERS_MAX:
            raise ParameterError(
                f"Metadata keys can have up to {METADATA_KEY_CHARACTERS_MAX} characters", param="metadata"
            )
        if len(value) > METADATA_VALUE_CHARACTERS_MAX:
            raise ParameterError(
                f"Metadata values can have up to {METADATA_VALUE_CHARACTERS_MAX} characters",
                param=f"metadata[{key}]",
            )
    return merged
