"""The OpenAPI document: FastAPI's routes and the lean ones, with scopes, headers and every problem."""

import re
from collections.abc import Iterator
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from heller.web.api import AREAS, models
from heller.web.api.answers import Problem, responses
from heller.web.api.caller import IdempotencyKey, IfMatch
from heller.web.api.lean import ROUTES, Lean
from heller.web.principal import SCOPES

Json = dict[str, Any]

REF = "#/components/schemas/{model}"
DESCRIPTION = """
Prepaid credits: accounts, transactions, grants, holds. Amounts are whole credits; instants are UTC.

Show an API key or a token of your OpenID provider as `Authorization: Bearer ...`. Name each intent with an
`Idempotency-Key`: the same key with the same request answers the first result (`Idempotent-Replayed: true`), with another
request it is refused, naming the field that differs; keys never expire. Errors are RFC 9457 problems: `code` is stable,
and `type` is `urn:heller:problem:` and the code. Lists have `items` and `next`: ask again with it as `cursor`.
"""
_HEADERS: Json = {
    "X-Request-Id": {"description": "Quote it when you ask for help.", "schema": {"type": "string"}},
    "RateLimit-Limit": {
        "description": "Requests a minute, where there is a limit.",
        "schema": {"type": "integer"},
    },
    "RateLimit-Remaining": {"description": "Of them still free.", "schema": {"type": "integer"}},
}


def install(app: FastAPI, prefix: str) -> None:
    """Make ``app.openapi()`` answer the whole document."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, prefix)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI says it is extended


def _document(app: FastAPI, prefix: str) -> Json:
    document = get_openapi(
        title="heller", version=app.version, summary="Prepaid credits, accounted to the last credit.",
        description=DESCRIPTION.strip(), routes=app.routes,
    )  # fmt: skip
    schemas = document["components"]["schemas"]
    for kind in _lean_models():
        mode: Literal["validation", "serialization"] = (
            "validation" if issubclass(kind, models.Body) else "serialization"
        )
        schema = TypeAdapter(kind).json_schema(ref_template=REF, mode=mode)
        schemas |= schema.pop("$defs", {})
        schemas.setdefault(kind.__name__, schema)
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for lean in ROUTES:
        document["paths"].setdefault(prefix + lean.path, {})[lean.method.lower()] = _lean(lean)
    scopes = _scopes(prefix)
    shared: Json = {}
    for path, item in document["paths"].items():
        for method, operation in item.items():
            operation["security"] = [{"bearer": [scopes[path, method]]}]
            _describe(operation)
            _share(operation, shared)
    _complete(schemas)
    document["paths"] = dict(sorted(document["paths"].items()))
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    document["components"]["responses"] = dict(sorted(shared.items()))
    document["components"]["securitySchemes"] = {
        "bearer": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key (`heller_...`) or an access token of the OpenID provider. Scopes:\n\n"
            + "\n".join(f"- `{scope}`: {meaning}" for scope, meaning in SCOPES.items()),
        }
    }
    document["tags"] = _tags()
    return document


def _lean_models() -> list[type]:
    return [
        Problem,
        *(lean.body for lean in ROUTES if lean.body is not None),
        *(lean.result for lean in ROUTES),
    ]


def _scopes(prefix: str) -> dict[tuple[str, str], str]:
    """The scope each operation needs."""
    found = {(prefix + lean.path, lean.method.lower()): lean.scope for lean in ROUTES}
    for area in AREAS:
        for route in area.router.routes:
            for dependency in route.dependant.dependencies:
                scope = getattr(dependency.call, "scope", None)
                found |= {(prefix + route.path, method.lower()): scope for method in route.methods}
    return found


def _describe(operation: Json) -> None:
    for response in operation["responses"].values():
        response.setdefault("headers", {}).update(_HEADERS)
    for parameter in operation.get("parameters", []):
        parameter["schema"] = _without_null(parameter["schema"])
    takes_key = any(p["name"].lower() == "idempotency-key" for p in operation.get("parameters", []))
    if takes_key:
        first = min(status for status in operation["responses"] if status.startswith("2"))
        operation["responses"][first]["headers"]["Idempotent-Replayed"] = {
            "description": "`true` where the key was known: this is its first result.",
            "schema": {"type": "string", "enum": ["true"]},
        }


def _share(operation: Json, shared: Json) -> None:
    """Write each set of problems once, by the codes in it."""
    for status, response in operation["responses"].items():
        if status >= "4":
            name = "_or_".join(re.findall(r"`(\w+)`", response["description"]))
            shared[name] = response
            operation["responses"][status] = {"$ref": f"#/components/responses/{name}"}


def _bodies(kind: type[models.Body]) -> Iterator[type[models.Body]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _bodies(child)


def _complete(schemas: Json) -> None:
    """What is answered has all its fields, null where there is nothing; only what is asked may leave some out."""
    asked = {kind.__name__ for kind in _bodies(models.Body)}
    for name, schema in schemas.items():
        if name not in asked and "properties" in schema:
            schema["required"] = list(schema["properties"])


def _without_null(schema: Json) -> Json:
    """An optional parameter is left out, never null."""
    choices = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) != 1:
        return schema
    return {
        **choices[0],
        **{name: value for name, value in schema.items() if name not in {"anyOf", "default"}},
    }


def _lean(lean: Lean) -> Json:
    parameters = [_parameter("account", "path", models.Account)]
    if "{hold}" in lean.path:
        parameters.append(_parameter("hold", "path", models.Place))
    operation: Json = {
        "tags": [lean.tag],
        "summary": lean.name.replace("_", " ").capitalize(),
        "description": lean.summary,
        "operationId": lean.name,
        "parameters": parameters,
        "responses": {
            str(lean.status): {
                "description": "Successful Response",
                "content": {"application/json": {"schema": {"$ref": REF.format(model=lean.result.__name__)}}},
            },
            **{str(status): said for status, said in responses(*lean.problems).items()},
        },
    }
    if lean.body is None:
        parameters.append({**_parameter("unit", "query", models.Unit), "required": False})
        return operation
    for name, annotation in (("idempotency-key", IdempotencyKey), ("if-match", IfMatch)):
        parameters.append({**_parameter(name, "header", annotation), "required": False})
    content = {"application/json": {"schema": {"$ref": REF.format(model=lean.body.__name__)}}}
    operation["requestBody"] = {"required": True, "content": content}
    return operation


def _parameter(name: str, place: str, annotation: Any) -> Json:
    schema = TypeAdapter(annotation).json_schema()
    return {
        "name": name,
        "in": place,
        "required": True,
        "schema": schema,
        "description": schema.get("description", ""),
    }


def _tags() -> list[Json]:
    said = {
        "accounts": "Who holds credits, and everything that is read of it.",
        "credits": "The verbs: every change of credits, by name.",
        "around an account": "Members of a team, alerts, automatic top-ups.",
        "buying": "Prices, checkout, orders, and links into the portal.",
        "users": "The names people are known by, and which home serves them.",
        "events": "What happened, to be followed or to be sent.",
        "stripe": "Deliveries and payments, and the remedies.",
        "rollout": "The gradual change of homes.",
        "migration": "Steps, runs and homes.",
        "reports": "The books.",
        "access": "Keys, the audit log, who calls.",
    }
    return [{"name": name, "description": text} for name, text in said.items()]
