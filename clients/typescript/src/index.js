// heller over HTTP. The operations are generated from the OpenAPI document; this is how they are sent.
import { operations } from "./operations.js";

const AGAIN = new Set([429, 502, 503, 504]);
const KEYLESS = new Set(["open_account", "release", "renew"]); // to do them again is the same
const PAUSE_MILLISECONDS = 200;
const PAUSE_MILLISECONDS_MAX = 5_000;

/** A problem document as an error: `code` is stable, `problem` has all of it. */
export class HellerError extends Error {
  constructor(problem, status, cause) {
    super(problem.detail, { cause });
    this.name = "HellerError";
    this.status = status;
    this.code = problem.code;
    this.hint = problem.hint ?? undefined;
    this.requestId = problem.request_id ?? undefined;
    this.problem = problem;
  }
}

export class Heller {
  #url;
  #key;
  #timeout;
  #retriesMax;
  #fetch;

  constructor({ url, key, timeoutMilliseconds = 10_000, retriesMax = 3, fetch = globalThis.fetch }) {
    this.#url = url.replace(/\/+$/, "");
    this.#key = key;
    this.#timeout = timeoutMilliseconds;
    this.#retriesMax = retriesMax;
    this.#fetch = fetch;
  }

  async _send(operation, given) {
    const rest = [...given];
    const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => part(name, rest.shift()));
    const body = operation.body ? named(operation, rest.shift()) : undefined;
    const query = operation.query ? rest.shift() : undefined;
    const call = rest.shift() ?? {};
    const headers = { authorization: `Bearer ${await valueOf(this.#key)}`, accept: "application/json" };
    if (operation.body) headers["content-type"] = "application/json";
    if (operation.key) headers["idempotency-key"] = call.idempotencyKey ?? `auto-${crypto.randomUUID()}`;
    if (call.ifMatch !== undefined) headers["if-match"] = call.ifMatch;
    const init = { method: operation.method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
    return this.#attempts(`${this.#url}${path}${search(query)}`, init, call.signal);
  }

  async #attempts(url, init, signal) {
    for (let attempt = 0; ; attempt++) {
      const isLast = attempt >= this.#retriesMax;
      const timeout = AbortSignal.timeout(this.#timeout);
      let answer;
      try {
        answer = await this.#fetch(url, { ...init, signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
        if (isLast || !AGAIN.has(answer.status)) return await read(answer);
      } catch (error) {
        if (error instanceof HellerError || signal?.aborted) throw error;
        if (isLast) throw unreachable(error);
      }
      await new Promise((resolve) => setTimeout(resolve, pause(attempt, answer)));
    }
  }
}

for (const [name, operation] of Object.entries(operations)) {
  Object.defineProperty(Heller.prototype, name, {
    value(...given) {
      return this._send(operation, given);
    },
  });
}

/** Every item of a list, page after page. */
export async function* each(page) {
  let cursor;
  do {
    const found = await page(cursor);
    yield* found.items;
    cursor = found.items.length === 0 ? undefined : (found.next ?? undefined);
  } while (cursor !== undefined);
}

/** Operations of a batch without a key get one, so that the call can be tried again. */
function named(operation, body) {
  if (operation !== operations.batch) return body;
  const withKey = (one) => (KEYLESS.has(one.verb) || one.key != null ? one : { ...one, key: `auto-${crypto.randomUUID()}` });
  return { ...body, operations: body.operations.map(withKey) };
}

function part(name, value) {
  const text = String(value ?? "");
  if (text === "" || text === "." || text === "..") {
    throw new TypeError(`${name} ${JSON.stringify(text)} cannot stand in an address`);
  }
  return encodeURIComponent(text);
}

function search(query) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) found.append(name, one instanceof Date ? one.toISOString() : String(one));
    }
  }
  const text = found.toString();
  return text === "" ? "" : `?${text}`;
}

async function valueOf(key) {
  return typeof key === "function" ? key() : key;
}

async function read(answer) {
  const type = answer.headers.get("content-type") ?? "";
  if (answer.ok) return type.startsWith("application/json") ? answer.json() : answer.text();
  const problem = type.startsWith("application/problem+json") ? await answer.json() : null;
  throw new HellerError(
    problem ?? { code: "api", detail: `The server answered ${answer.status} and no problem document.` },
    answer.status,
  );
}

function unreachable(cause) {
  return new HellerError({ code: "api_unavailable", detail: `heller cannot be reached: ${cause.message}` }, 0, cause);
}

function pause(attempt, answer) {
  const said = Number(answer?.headers.get("retry-after") ?? NaN);
  if (said >= 0) return Math.min(said * 1_000, PAUSE_MILLISECONDS_MAX);
  return Math.min(PAUSE_MILLISECONDS * 2 ** attempt, PAUSE_MILLISECONDS_MAX) * (0.5 + Math.random() / 2);
}
