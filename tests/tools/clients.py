"""Write what is made of other files: the synchronous client of the asynchronous one, the TypeScript client of the OpenAPI."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from heller.web.app import create_app
from heller.web.settings import load

ROOT = Path(__file__).parents[2]
ASYNCHRONOUS = ROOT / "src/heller/client/asynchronous"
SYNCHRONOUS = ROOT / "src/heller/client/synchronous"
TYPESCRIPT = ROOT / "clients/typescript/src"
WORDS = {
    "async def": "def",
    "async with": "with",
    "await ": "",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "aclose": "close",
    "asyncio.sleep": "time.sleep",
    "import asyncio": "import time",
    "heller.client.asynchronous": "heller.client.synchronous",
}
_WORD = re.compile("|".join(map(re.escape, sorted(WORDS, key=len, reverse=True))) + r"|\bAsync(?=[A-Z])")
HEAD = '"""Made of ``asynchronous/{name}`` by ``tests/tools/clients.py``; not edited."""'


def synchronous() -> dict[Path, str]:
    """The synchronous client."""
    return {SYNCHRONOUS / path.name: _synchronous(path) for path in sorted(ASYNCHRONOUS.glob("*.py"))}


def _synchronous(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    text = HEAD.format(name=path.name) + text[text.index("\n") :]
    text = _WORD.sub(lambda found: WORDS.get(found[0], ""), text)
    command = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", str(SYNCHRONOUS / path.name), "-"]
    for step in ([*command, "check", "--fix", "--select", "I,RUF022", "--quiet"], [*command, "format"]):
        done = subprocess.run([*step, *name], input=text, capture_output=True, text=True, check=True)
        text = done.stdout
    return text


Json = dict[str, Any]

FIRST = """// Generated from the OpenAPI document by tests/tools/clients.py; not edited.
"""
FRAME = """
export interface Options {
  /** Where heller is served, such as https://credits.example.org. */
  url: string;
  /** An API key, or a token of the OpenID provider; a function is asked before each call. */
  key: string | (() => string | Promise<string>);
  timeoutMilliseconds?: number;
  /** How often to ask again when there is no answer, or one that says so. */
  retriesMax?: number;
  fetch?: typeof globalThis.fetch;
}

export interface Call {
  /** Your name for this intent; without one each call has its own. */
  idempotencyKey?: string;
  /** The ETag of the account as you read it. */
  ifMatch?: string;
  signal?: AbortSignal;
}

/** A problem document as an error: `code` is stable, `problem` has all of it. */
export declare class HellerError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint?: string;
  readonly requestId?: string;
  readonly problem: Problem;
}

/** Every item of a list, page after page. */
export declare function each<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; next: string | null }>,
): AsyncGenerator<T, void, void>;
"""


def document() -> Json:
    """The OpenAPI document."""
    return create_app(load(secret_key="", oidc_issuer="", cors_origins=""), url="postgresql://").openapi()


def operations_of(openapi: Json) -> Iterator[tuple[str, str, Json]]:
    """Every operation as method, path and what is said of it."""
    for path, item in openapi["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


def operations(openapi: Json) -> str:
    """What the client's own code reads."""
    lines = [FIRST, "export const operations = {"]
    for method, path, operation in operations_of(openapi):
        places = {parameter["in"] for parameter in operation.get("parameters", [])}
        parts = [f'method: "{method}"', f'path: "{path}"']
        parts += ["body: true"] if "requestBody" in operation else []
        parts += ["query: true"] if "query" in places else []
        parts += ["key: true"] if "header" in places else []
        lines.append(f"  {camel(operation['operationId'])}: {{ {', '.join(parts)} }},")
    return "\n".join([*lines, "};", ""])


def types(openapi: Json) -> str:
    """The types of everything."""
    lines = [FIRST]
    for name, schema in openapi["components"]["schemas"].items():
        lines += [*said(schema.get("description"), ""), f"export type {plain(name)} = {kind(schema)};", ""]
    lines += [FRAME.strip(), "", "export declare class Heller {", "  constructor(options: Options);"]
    for _, _, operation in operations_of(openapi):
        lines += ["", *said(operation["description"], "  "), f"  {signature(operation)};"]
    return "\n".join([*lines, "}", ""])


def signature(operation: Json) -> str:
    """One method: what stands in the path, then the body, then the query, then the options of the call."""
    parameters = operation.get("parameters", [])
    given = [f"{p['name']}: {kind(p['schema'])}" for p in parameters if p["in"] == "path"]
    if "requestBody" in operation:
        given.append(f"body: {kind(operation['requestBody']['content']['application/json']['schema'])}")
    if query := [p for p in parameters if p["in"] == "query"]:
        fields = "; ".join(
            f"{p['name']}{'' if p['required'] else '?'}: {asked(p['schema'], is_needed=p['required'])}"
            for p in query
        )
        given.append(f"query{'' if any(p['required'] for p in query) else '?'}: {{ {fields} }}")
    given.append("call?: Call")
    answer = next(a for status, a in operation["responses"].items() if status.startswith("2"))
    results = [kind(media.get("schema", {})) for media in answer.get("content", {}).values()]
    return f"{camel(operation['operationId'])}({', '.join(given)}): Promise<{' | '.join(results) or 'void'}>"


def asked(schema: Json, *, is_needed: bool) -> str:
    """The type of a parameter of a query: an instant may be a Date, and what may be left out may be undefined."""
    found = "string | Date" if schema.get("format") == "date-time" else kind(schema)
    return found if is_needed else f"{found} | undefined"


def kind(schema: Json) -> str:
    """The type that a schema describes."""
    if "$ref" in schema:
        return plain(schema["$ref"].rsplit("/", 1)[-1])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for name in ("anyOf", "oneOf"):
        if name in schema:
            return " | ".join(dict.fromkeys(kind(choice) for choice in schema[name]))
    simple = {
        "integer": "number",
        "number": "number",
        "string": "string",
        "boolean": "boolean",
        "null": "null",
    }
    match schema.get("type"):
        case "array":
            return f"Array<{kind(schema.get('items', {}))}>"
        case "object":
            return an_object(schema)
        case str(name):
            return simple[name]
    return "unknown"


def an_object(schema: Json) -> str:
    """The type of an object."""
    required = set(schema.get("required", []))
    fields = [
        f"{name}{'' if name in required else '?'}: {kind(field)}"
        for name, field in schema.get("properties", {}).items()
    ]
    more = schema.get("additionalProperties")
    if not fields:
        return f"Record<string, {kind(more) if isinstance(more, dict) else 'unknown'}>"
    fields += ["[name: string]: unknown"] if more is True else []
    return "{ " + "; ".join(fields) + " }"


def plain(name: str) -> str:
    """A schema's name as a type's: Page_Transaction_ is PageTransaction."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def camel(name: str) -> str:
    """list_transactions is listTransactions."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def said(text: str | None, indent: str) -> list[str]:
    """A comment."""
    lines = (text or "").replace("``", "`").replace("*/", "").strip().splitlines()
    return [f"{indent}/** {' '.join(line.strip() for line in lines if line.strip())} */"] if lines else []


def files() -> dict[Path, str]:
    """Every file and what it must contain."""
    openapi = document()
    return {
        **synchronous(),
        ROOT / "docs/reference/openapi.json": json.dumps(openapi, indent=1, ensure_ascii=False) + "\n",
        TYPESCRIPT / "operations.js": operations(openapi),
        TYPESCRIPT / "index.d.ts": types(openapi),
    }


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
