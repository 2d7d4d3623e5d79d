// Against a running heller: HELLER_URL and HELLER_KEY name it.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { each, Heller, HellerError } from "../src/index.js";
import { operations } from "../src/operations.js";

const settings = { url: process.env.HELLER_URL, key: process.env.HELLER_KEY };
const heller = new Heller(settings);

async function opened(credits) {
  const account = `ts-${randomUUID()}`;
  await heller.openAccount({ account });
  if (credits) await heller.grant(account, { amount: credits });
  return account;
}

test("verbs change the account", async () => {
  const account = await opened(100);
  const spent = await heller.spend(account, { amount: 10, reason: "job analysis", metadata: { job: "ü" } });
  assert.equal(spent.balance_after, 90);
  const hold = await heller.placeHold(account, { amount: 20 });
  assert.equal((await heller.captureHold(account, hold.hold, { amount: 5 })).balance_after, 85);
  assert.equal((await heller.getAccount(account)).available, 85);
  assert.equal((await heller.releaseHold(account, (await heller.placeHold(account, { amount: 1 })).hold, {})).state, "released");
  const batch = await heller.batch({ operations: [{ verb: "spend", account, amount: 1 }, { verb: "spend", account, amount: 999 }] });
  assert.equal(batch.outcomes[1].problem.code, "insufficient_credits");
});

test("ids may have slashes", async () => {
  const account = `org/${randomUUID()}/ä b%2F`;
  await heller.openAccount({ account });
  assert.equal((await heller.grant(account, { amount: 3 })).account, account);
  assert.equal((await heller.getAccount(account)).available, 3);
});

test("a key is one effect, and its replay is the first result", async () => {
  const account = await opened(100);
  const call = { idempotencyKey: "one" };
  const first = await heller.spend(account, { amount: 10 }, call);
  const again = await heller.spend(account, { amount: 10 }, call);
  assert.deepEqual([again.seq, again.replayed], [first.seq, true]);
  await assert.rejects(heller.spend(account, { amount: 11 }, call), (error) => {
    assert.ok(error instanceof HellerError);
    assert.deepEqual([error.status, error.code, error.problem.differs], [409, "idempotency_conflict", "amount"]);
    return true;
  });
});

test("too few credits is a typed error with a place to buy some", async () => {
  const account = await opened(3);
  const error = await heller.spend(account, { amount: 10 }).catch((caught) => caught);
  assert.deepEqual([error.code, error.problem.required, error.problem.available], ["insufficient_credits", 10, 3]);
  assert.match(error.problem.top_up, /\/portal\/buy$/);
});

test("what was lost on the way is tried again with one effect", async () => {
  const account = await opened(100);
  let lost = 2;
  const keys = new Set();
  const shaky = new Heller({
    ...settings,
    fetch: async (url, init) => {
      keys.add(init.headers["idempotency-key"]);
      const answer = await fetch(url, init);
      if (lost-- > 0) throw new TypeError("the connection was lost");
      return answer;
    },
  });
  assert.equal((await shaky.spend(account, { amount: 10 })).balance_after, 90);
  assert.equal(keys.size, 1);
  lost = 1;
  const batch = await shaky.batch({ operations: [{ verb: "spend", account, amount: 10 }] });
  assert.equal(batch.outcomes[0].result.balance_after, 80);
  assert.equal((await heller.getAccount(account)).posted, 80);
  lost = 99;
  await assert.rejects(shaky.getAccount(account), { code: "api_unavailable" });
});

test("lists are read page after page", async () => {
  const account = await opened(10);
  for (let n = 0; n < 4; n++) await heller.spend(account, { amount: 1 });
  const seen = [];
  for await (const t of each((cursor) => heller.listTransactions(account, { cursor, limit: 2, kind: ["spend"] }))) seen.push(t.seq);
  assert.deepEqual(seen, [5, 4, 3, 2]);
  assert.deepEqual((await heller.getStatement(account, { since: new Date(0), until: new Date(Date.now() + 60_000) })).closing, 6);
  assert.match(await heller.getStatement(account, { since: new Date(0), until: new Date(), format: "csv" }), /^effective_at,/);
});

test("keys may be renewed, and wrong ones are refused", async () => {
  const renewed = new Heller({ ...settings, key: async () => process.env.HELLER_KEY });
  assert.ok((await renewed.me()).scopes.includes("credits:spend"));
  await assert.rejects(new Heller({ ...settings, key: "heller_x" }).me(), { code: "unauthenticated", status: 401 });
  await assert.rejects(heller.getAccount(".."), TypeError);
});

test("every operation of the document is there", async () => {
  const document = await (await fetch(`${settings.url}/v1/openapi.json`)).json();
  const names = Object.values(document.paths).flatMap((item) => Object.values(item).map((operation) => operation.operationId));
  assert.equal(Object.keys(operations).length, names.length);
});
