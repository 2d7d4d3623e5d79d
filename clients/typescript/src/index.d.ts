// Generated from the OpenAPI document by tests/tools/clients.py; not edited.

/** An account at one instant: what has expired by then is not counted, even when no worker has run. */
export type Account = { account: string; unit: string; posted: number; held: number; available: number; overdraft_limit: number; version: number; transactions: number; user: string | null; frozen: boolean; frozen_reason: string | null; opened_at: string | null; metadata: Record<string, unknown> | null; replayed: boolean; dry_run: boolean };

/** A name that one user is known by. */
export type AddIdentity = { kind: string; name: string };

/** Something to buy: so many credits for so much money. */
export type AddPrice = { price: string; product: string; pack: string; credits: number; currency: string; amount: number; unit?: string; period?: "day" | "week" | "month" | "year" | null; carry?: "expire" | "roll_over" | null; valid_days?: number | null; stripe_price?: string | null; metadata?: Record<string, JsonValue> | null };

/** Correct a balance by hand. */
export type Adjust = { unit?: string; reason: string; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; policy?: "refuse" | "debt"; effective_at?: string | null };

/** As POST .../adjust. */
export type AdjustOperation = { unit?: string; reason: string; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; policy?: "refuse" | "debt"; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "adjust" };

/** Told once when `available` is below `threshold`, again after it has been at `rearm_at` or above. */
export type Alert = { account: string; unit: string; threshold: number; rearm_at: number; armed: boolean; fired_at: string | null; available: number | null };

/** A key as it stands, without its secret. */
export type ApiKey = { key_id: string; name: string; role: string; scopes: Array<string>; created_by: string; created_at: string; is_valid: boolean; rate_per_minute: number | null; expires_at: string | null; last_used_at: string | null; revoked_at: string | null; revoked_by: string | null };

/** Whose a payment is and what it is worth. */
export type Assign = { reason: string; account: string; credits: number; unit?: string };

/** One thing that was done. `action` is noun.verb, `target` the id of what it was done to. */
export type AuditEntry = { entry: number; at: string; actor: string; via: string; action: string; target: string; detail: Record<string, unknown>; request_id: string | null };

/** Posted at an instant. */
export type Balance = { account: string; unit: string; at: string; posted: number };

/** Many operations in one call. */
export type Batch = { operations: Array<SpendOperation | GrantOperation | VoidOperation | RefundOperation | ReverseOperation | AdjustOperation | TransferOperation | ClawbackOperation | ReinstateOperation | HoldOperation | CaptureOperation | ReleaseOperation | RenewOperation | OpenAccountOperation>; atomic?: boolean };

/** Figures over all accounts as of `taken_at`. `deferred` is money received for credits not used yet, by currency. `difference` is the trial balance: all accounts plus all kinds, which is 0. */
export type Books = { difference: number; accounts: Record<string, UnitBooks>; units: Record<string, Record<string, unknown>>; deferred: Record<string, number>; taken_at: string; milliseconds: number };

/** One line of a purchase. */
export type BuyItem = { price: string; quantity?: number };

/** Spend held credits; without an amount all that is left. */
export type Capture = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount?: number | null; final?: boolean; effective_at?: string | null };

/** As POST .../holds/{hold}/capture. */
export type CaptureOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount?: number | null; final?: boolean; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "capture"; hold: number };

/** Properties to change; what is not given stays. */
export type ChangeAccount = { unit?: string; overdraft_limit?: number | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean };

/** A step of a rollout. `version`: only if it is still that one. */
export type ChangeRollout = { reason: string; version?: number | null };

/** A purchase to start. */
export type Checkout = { unit?: string; items: Array<BuyItem>; success_url: string; cancel_url: string; save_card?: boolean; metadata?: Record<string, JsonValue> | null };

/** A payment was taken back. */
export type Clawback = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; payment?: string | null; policy?: "debt" | "clamp" | "grant"; effective_at?: string | null };

/** As POST .../clawback. */
export type ClawbackOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; payment?: string | null; policy?: "debt" | "clamp" | "grant"; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "clawback" };

/** A new API key. */
export type CreateKey = { name: string; role?: "support" | "operator" | "admin"; scopes?: Array<string> | null; expires_at?: string | null; rate_per_minute?: number | null };

/** What a person decides, and why. */
export type Decision = { reason: string };

/** One POST of one event: taken when `error` is None. `status_code` None: there was no answer. */
export type DeliveryAttempt = { at: string; event: string; status_code: number | null; error: string | null; milliseconds: number };

/** How many credits one grant paid; `grant` None is what no grant covered. */
export type Draw = { grant: number | null; amount: number };

/** An account that a search found: by which name (`matched`), and which home serves it. */
export type FoundAccount = { account: string; unit: string; posted: number; held: number; available: number; overdraft_limit: number; version: number; transactions: number; user: string | null; frozen: boolean; frozen_reason: string | null; opened_at: string | null; metadata: Record<string, unknown> | null; replayed: boolean; dry_run: boolean; home: string; matched: string | null };

/** Take no change of an account. */
export type Freeze = { unit?: string; reason: string };

/** Credits given. */
export type GiveCredits = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; source?: "purchase" | "promotion" | "subscription" | "adjustment" | "migration"; priority?: number; available_at?: string | null; expires_at?: string | null; cost?: number; currency?: string | null; payment?: string | null; effective_at?: string | null };

/** Credits given. `cost` is what was paid for all of them, in minor units of `currency`. `recurring` is the name of the recurring grant whose period this is. */
export type Grant = { account: string; unit: string; grant: number; amount: number; source: string; remaining: number | null; seq: number | null; priority: number; available_at: string | null; expires_at: string | null; ended_at: string | null; granted_at: string | null; cost: number; currency: string | null; payment: string | null; reason: string; key: string | null; recurring: string | null; scheduled: boolean; replayed: boolean; available: number | null; voided: number | null; dry_run: boolean };

/** As POST .../grants. */
export type GrantOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; source?: "purchase" | "promotion" | "subscription" | "adjustment" | "migration"; priority?: number; available_at?: string | null; expires_at?: string | null; cost?: number; currency?: string | null; payment?: string | null; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "grant" };

/** As POST .../holds. */
export type HoldOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; seconds?: number; overrun_limit?: number; allow_partial?: boolean; min_available_after?: number | null; account: string; if_version?: number | null; key?: string | null; verb: "hold" };

/** A reservation as it stands: `state` is open, captured, released or expired. */
export type HoldState = { account: string; unit: string; hold: number; amount: number; captured: number; state: string; expires_at: string; placed_at: string; closed_at: string | null; reason: string; actor: string | null; key: string | null; available: number | null; replayed: boolean; dry_run: boolean };

/** A name a user is known by. */
export type Identity = { kind: string; name: string };

/** A step as the journal has it. `state` is running, finished, failed, or killed: not seen for a while. */
export type JournalledStep = { step_id: number; step: "audit" | "backup" | "plan" | "copy" | "verify" | "proof"; source_name: string; state: "running" | "finished" | "failed" | "killed"; phase: string; done: number; total: number; phase_since: string; started_at: string; seen_at: string; finished_at: string | null; result: Record<string, unknown> | null; error: string | null };

export type JsonValue = unknown;

/** One change of a rollout. */
export type LogEntry = { rollout: string; entry: number; event: string; state: string; stage: number; reason: string; actor: string; evidence: Record<string, unknown>; at: string };

/** A token for the balance widget of one account. */
export type MakeWidgetToken = { account: string; unit?: string; seconds?: number };

/** Who calls. */
export type Me = { subject: string; actor: string; role: string; scopes: Array<string>; user: string | null; name: string | null; via: string };

/** Who may spend from an account. `spent` and `left` are of the current period; no `cap`: no limit. */
export type Member = { account: string; unit: string; member: string; cap: number | null; period: string; spent: number; left: number | null; joined_at: string; left_at: string | null };

/** What one person spent of an account; `member` None is where no actor was named. */
export type MemberSpending = { member: string | null; spent: number; refunded: number; count: number };

/** A key just made: `secret` is shown this once. */
export type NewApiKey = { api_key: ApiKey; secret: string };

/** A new account. */
export type OpenAccount = { account: string; unit?: string; user?: string | null; overdraft_limit?: number; metadata?: Record<string, JsonValue> | null; dry_run?: boolean };

/** As POST /v1/accounts. */
export type OpenAccountOperation = { account: string; unit?: string; user?: string | null; overdraft_limit?: number; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; verb: "open_account" };

/** A link that signs one user into the portal, once. */
export type OpenPortal = { user: string; path?: string; seconds?: number };

/** What a buyer was promised. `credits` for `amount` minor units; per period for a subscription. */
export type Order = { order_id: string; account_id: string; unit: string; kind: string; credits: number; amount: number; currency: string; state: string; placed_at: string; expires_at: string; items: Array<Record<string, unknown>>; period: string | null; stripe_account: string; stripe_customer: string | null; checkout_session: string | null; session_url: string | null; session_attempt: number; payment_intent: string | null; subscription: string | null; payment_key: string | null; failure: string | null; automatic_tax: boolean; allow_promotion_codes: boolean; metadata: Record<string, unknown> | null; replayed: boolean };

/** What became of one operation of a batch: a result or a problem. */
export type Outcome = { result: Transaction | Account | Grant | HoldState | null; problem: Problem | null };

/** The outcomes of a batch, in the places of its operations. */
export type Outcomes = { outcomes: Array<Outcome> };

export type PageAlert = { items: Array<Alert>; next: string | null };

export type PageApiKey = { items: Array<ApiKey>; next: string | null };

export type PageAuditEntry = { items: Array<AuditEntry>; next: string | null };

export type PageDeliveryAttempt = { items: Array<DeliveryAttempt>; next: string | null };

export type PageDraw = { items: Array<Draw>; next: string | null };

export type PageFoundAccount = { items: Array<FoundAccount>; next: string | null };

export type PageGrant = { items: Array<Grant>; next: string | null };

export type PageHoldState = { items: Array<HoldState>; next: string | null };

export type PageJournalledStep = { items: Array<JournalledStep>; next: string | null };

export type PageLogEntry = { items: Array<LogEntry>; next: string | null };

export type PageMemberSpending = { items: Array<MemberSpending>; next: string | null };

export type PageMember = { items: Array<Member>; next: string | null };

export type PageOrder = { items: Array<Order>; next: string | null };

export type PagePrice = { items: Array<Price>; next: string | null };

export type PageRecurringGrant = { items: Array<RecurringGrant>; next: string | null };

export type PageRevenue = { items: Array<Revenue>; next: string | null };

export type PageTransaction = { items: Array<Transaction>; next: string | null };

export type PageUsageLine = { items: Array<UsageLine>; next: string | null };

export type PageUsage = { items: Array<Usage>; next: string | null };

export type PageUser = { items: Array<User>; next: string | null };

export type PageWebhookEndpoint = { items: Array<WebhookEndpoint>; next: string | null };

export type PageDictStrAny = { items: Array<Record<string, unknown>>; next: string | null };

/** Reserve credits. */
export type PlaceHold = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; seconds?: number; overrun_limit?: number; allow_partial?: boolean; min_available_after?: number | null };

/** A link that signs a user into the portal, once. */
export type PortalSession = { user: string; url: string; expires_at: string };

/** So many credits for so much money (minor units), once or every `period`. */
export type Price = { price: string; product: string; pack: string; credits: number; currency: string; amount: number; unit: string; period: string | null; carry: string | null; valid_days: number | null; stripe_price: string | null; active: boolean; metadata: Record<string, unknown> | null; is_new: boolean };

/** What went wrong (RFC 9457). Each `code` has data of its own besides. */
export type Problem = { type: string; title: string; status: number; detail: string; code: string; hint: string | null; request_id: string; [name: string]: unknown };

/** The next stage. */
export type Promote = { reason: string; version?: number | null; even_unproven?: boolean };

/** When to be told again. */
export type PutAlert = { unit?: string; rearm_at?: number | null };

/** Where events are sent to. */
export type PutEndpoint = { url: string; secret?: string | null; account?: string | null; kinds?: Array<string> | null };

/** What a member of a team may spend. */
export type PutMember = { unit?: string; cap?: number | null; period?: "day" | "week" | "month" | "year" | "ever" };

/** Credits of every period. */
export type PutRecurringGrant = { unit?: string; dry_run?: boolean; amount: number; period?: "day" | "week" | "month" | "quarter" | "year"; rollover?: number; expires?: boolean; anchor?: string | null; time_zone?: string; starts_at?: string | null; ends_at?: string | null; source?: "purchase" | "promotion" | "subscription" | "adjustment" | "migration"; priority?: number; cost?: number; currency?: string | null; reason?: string | null; metadata?: Record<string, JsonValue> | null };

/** When an account buys credits by itself. */
export type PutTopUpRule = { unit?: string; threshold: number; price: string; quantity?: number; ceiling?: number | null; ceiling_days?: number; cooldown_seconds?: number; failures_max?: number };

/** So many credits every `period`. `next_at` is when the next begins; None: no further one does. `cost` is what is paid for one period, in minor units of `currency`. */
export type RecurringGrant = { account: string; unit: string; name: string; amount: number; period: string; anchor: string; time_zone: string; rollover: number; expires: boolean; source: string; priority: number; reason: string; created_at: string; cost: number; currency: string | null; metadata: Record<string, unknown> | null; next_at: string | null; ends_at: string | null; dry_run: boolean };

/** Undo a spend; without an amount wholly. */
export type Refund = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; seq: number; amount?: number | null; effective_at?: string | null };

/** As POST .../refund. */
export type RefundOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; seq: number; amount?: number | null; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "refund" };

/** Undo a clawback. */
export type Reinstate = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; seq: number; amount?: number | null; effective_at?: string | null };

/** As POST .../reinstate. */
export type ReinstateOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; seq: number; amount?: number | null; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "reinstate" };

/** End a hold without spending. */
export type Release = { unit?: string; dry_run?: boolean };

/** As POST .../holds/{hold}/release. */
export type ReleaseOperation = { unit?: string; dry_run?: boolean; account: string; if_version?: number | null; verb: "release"; hold: number };

/** Whether there was something to remove. */
export type Removed = { removed: boolean };

/** Make a hold last at least so long from now. */
export type Renew = { unit?: string; dry_run?: boolean; seconds?: number };

/** As POST .../holds/{hold}/renew. */
export type RenewOperation = { unit?: string; dry_run?: boolean; seconds?: number; account: string; if_version?: number | null; verb: "renew"; hold: number };

/** How many deliveries are back in the queue. */
export type Retried = { retried: number };

/** Money of one currency in minor units: before + sold - recognised - breakage - taken back + moved = after. `recognised`: what used credits cost; `breakage`: what expired ones cost; `taken_back`: refunds of payments and voided grants; `deferred`: what is still owed to customers. */
export type Revenue = { currency: string; deferred_before: number; sold: number; recognised: number; breakage: number; taken_back: number; deferred_after: number; moved: number };

/** Undo what is left of any transaction. */
export type Reverse = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; seq: number; policy?: "refuse" | "debt"; effective_at?: string | null };

/** As POST .../reverse. */
export type ReverseOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; seq: number; policy?: "refuse" | "debt"; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "reverse" };

/** The rollout as it stands; `percent` is the share of the buckets that should be at home in heller now. */
export type RolloutNow = { percent: number; rollout: string; state: "running" | "halted" | "rolling_back" | "rolled_back" | "done"; stages: Array<number>; stage: number; bucketing: "keyed" | "plan"; salt: string; legacy_fallback: boolean; soak_seconds: number; settings: Record<string, unknown>; verdict: Record<string, unknown>; breach: Record<string, unknown> | null; reason: string; actor: string; started_at: string; stage_since: string; gate_passed_at: string | null; evaluated_at: string | null; changed_at: string; version: number };

/** A key in place of another. */
export type RotateKey = { overlap_seconds?: number; expires_at?: string | null };

/** A key made in place of another: `followed` is that one, and its `expires_at` the end of the overlap. */
export type RotatedApiKey = { api_key: ApiKey; secret: string; followed: ApiKey };

/** Which home serves a user now: heller, legacy, moving, or unknown (never seen here). */
export type Route = { user: string; account: string; home: string; epoch: number | null };

/** Credits taken for something. */
export type Spend = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; allow_partial?: boolean; min_available_after?: number | null; effective_at?: string | null };

/** A member spends. */
export type SpendAs = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; allow_partial?: boolean; min_available_after?: number | null; effective_at?: string | null };

/** As POST .../spend. */
export type SpendOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; amount: number; allow_partial?: boolean; min_available_after?: number | null; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "spend" };

/** A rollout from its first stage. */
export type StartRollout = { reason: string; stages?: Array<number>; bucketing?: "keyed" | "plan"; soak_seconds?: number; settings?: Record<string, JsonValue> };

/** When an account buys credits by itself. Money is in minor units of the price's currency. `available` and `spent` (money within `ceiling_days`) are set where the rule was found due. */
export type TopUpRule = { account: string; unit: string; threshold: number; price: string; quantity: number; ceiling: number | null; ceiling_days: number; cooldown_seconds: number; failures_max: number; failures: number; attempted_at: string | null; paused_at: string | null; paused_reason: string | null; available: number | null; spent: number | null };

/** One immutable change of one account, in credits. `replayed`: the key was known, this is its first result. `available` is what could be spent right after it (None on a replay). The last fields are set by the verbs they belong to: the grant a `grant` made, what is `left` to refund, the `shortfall` of a clawback, ... */
export type Transaction = { account: string; unit: string; kind: string; delta: number; balance_before: number; balance_after: number; seq: number | null; available: number | null; reason: string; actor: string | null; metadata: Record<string, unknown> | null; key: string | null; effective_at: string | null; recorded_at: string | null; replayed: boolean; dry_run: boolean; related_seq: number | null; hold: number | null; payment: string | null; counterparty: string | null; grant: number | null; left: number | null; shortfall: number | null; voided: number | null; captured: number | null; to_seq: number | null; to_balance_after: number | null };

/** Move credits to another account. */
export type Transfer = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; to: string; amount: number; allow_partial?: boolean; min_available_after?: number | null; effective_at?: string | null };

/** As POST .../transfer. */
export type TransferOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; to: string; amount: number; allow_partial?: boolean; min_available_after?: number | null; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "transfer" };

/** All accounts of one unit together: `owed` to them (liabilities), `debt` that they owe, in credits. */
export type UnitBooks = { accounts: number; owed: number; debt: number; held: number; frozen: number };

/** What one feature used on one day, less what of it was refunded; `feature` None: all the small ones together. */
export type Usage = { day: string; feature: string | null; spent: number; count: number };

/** What all accounts spent on one thing in one period, and what was refunded of such things in it. `begin` None: the whole period; `name` None: all the small ones together (then `accounts` is not known), empty: none. */
export type UsageLine = { begin: string | null; name: string | null; spent: number; refunded: number; count: number; accounts: number | null };

/** A user, every name it is known by, and its accounts. */
export type User = { user: string; identities: Array<Identity>; accounts: Array<Account> };

/** Take back the unused rest of a grant. */
export type Void = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; effective_at?: string | null };

/** As POST .../grants/{grant}/void. */
export type VoidOperation = { unit?: string; reason?: string | null; metadata?: Record<string, JsonValue> | null; dry_run?: boolean; effective_at?: string | null; account: string; if_version?: number | null; key?: string | null; verb: "void"; grant: number };

/** Where events are sent to. */
export type WebhookEndpoint = { endpoint: string; url: string; failures: number; due_at: string; disabled: boolean; created_at: string; account: string | null; kinds: Array<string> | null; position: Record<string, unknown> | null; last_error: string | null; delivered_at: string | null };

/** What a page needs to show a balance: `<script src="{script}" data-token="{token}" async></script>`. */
export type WidgetToken = { account: string; unit: string; token: string; script: string; expires_at: string };

/** Which unit of the account. */
export type WithUnit = { unit?: string };

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

export declare class Heller {
  constructor(options: Options);

  /** Open an account; again with the same properties is a replay. */
  openAccount(body: OpenAccount, call?: Call): Promise<Account>;

  /** Accounts by any name of theirs, or all. A page ends with the last unit of an account, so it may be a little longer than `limit`. */
  listAccounts(query?: { text?: string | undefined; state?: "frozen" | "quarantined" | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageFoundAccount>;

  /** Change how far an account may go below zero, or its metadata; what is not given stays. */
  changeAccount(account: string, body: ChangeAccount, call?: Call): Promise<Account>;

  /** Posted, held and available at this instant: what has expired by then is not counted. The ETag is its version. */
  getAccount(account: string, query?: { unit?: string | undefined }, call?: Call): Promise<Account>;

  /** Correct a balance by hand, up or down. */
  adjust(account: string, body: Adjust, call?: Call): Promise<Transaction>;

  /** The low-balance alerts of an account. */
  listAlerts(account: string, query?: { unit?: string | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageAlert>;

  /** Ask to be told when available falls below a threshold. */
  putAlert(account: string, threshold: number, body: PutAlert, call?: Call): Promise<Alert>;

  /** End an alert. */
  removeAlert(account: string, threshold: number, query?: { unit?: string | undefined }, call?: Call): Promise<Removed>;

  /** Posted as of an instant, by `effective_at`, with what is known now. */
  balanceAt(account: string, query: { at: string | Date; unit?: string | undefined }, call?: Call): Promise<Balance>;

  /** Start a purchase: send the buyer to `session_url`. The credits come when Stripe says that it is paid. */
  startCheckout(account: string, body: Checkout, call?: Call): Promise<Order>;

  /** A payment was taken back: its credits go, from its own grant first. What was not taken is `shortfall`. */
  clawback(account: string, body: Clawback, call?: Call): Promise<Transaction>;

  /** Grants that expire before an instant, and what is left of each. */
  listExpiring(account: string, query: { before: string | Date }, call?: Call): Promise<PageGrant>;

  /** Take no change of an account until it is unfrozen. */
  freeze(account: string, body: Freeze, call?: Call): Promise<Account>;

  /** The grants in burn-down order with what remains of each now. */
  listGrants(account: string, query?: { unit?: string | undefined; include_ended?: boolean | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageGrant>;

  /** Give credits: a transaction at once, or a scheduled grant when `available_at` is ahead. */
  grant(account: string, body: GiveCredits, call?: Call): Promise<Transaction | Grant>;

  /** Take back the unused rest of a grant; credits under a hold stay. */
  void(account: string, grant: number, body: Void, call?: Call): Promise<Transaction | Grant>;

  /** The holds. */
  listHolds(account: string, query?: { unit?: string | undefined; include_closed?: boolean | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageHoldState>;

  /** Reserve credits: captured wholly, partly or in parts, released, or expired. */
  placeHold(account: string, body: PlaceHold, call?: Call): Promise<HoldState>;

  /** Spend held credits: all that is left, or a part; `final` frees the rest. */
  captureHold(account: string, hold: number, body: Capture, call?: Call): Promise<Transaction>;

  /** End a hold without spending; again is a replay. */
  releaseHold(account: string, hold: number, body: Release, call?: Call): Promise<HoldState>;

  /** Make a hold last at least so long from now; it never ends sooner than before. */
  renew(account: string, hold: number, body: Renew, call?: Call): Promise<HoldState>;

  /** The members of a team's account, with what each has spent in the current period. */
  listMembers(account: string, query?: { unit?: string | undefined; include_former?: boolean | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageMember>;

  /** Let somebody spend from an account, up to a cap per calendar period (UTC); again changes it. */
  putMember(account: string, member: string, body: PutMember, call?: Call): Promise<Member>;

  /** End a membership; what was spent stays on record. */
  removeMember(account: string, member: string, query?: { unit?: string | undefined }, call?: Call): Promise<Member>;

  /** A member of a team spends, as far as the account's credits and the member's cap allow. */
  spendAs(account: string, member: string, body: SpendAs, call?: Call): Promise<Transaction>;

  /** What an account was promised, newest first. */
  listOrders(account: string, query?: { limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageOrder>;

  /** What an account gets every period, each with when its next period begins. */
  listRecurringGrants(account: string, query?: { unit?: string | undefined; include_ended?: boolean | undefined }, call?: Call): Promise<PageRecurringGrant>;

  /** Give an account credits every period, from now on; again changes it, from the next period on. No period is given twice. */
  putRecurringGrant(account: string, name: string, body: PutRecurringGrant, call?: Call): Promise<RecurringGrant>;

  /** No further period begins. The credits of the one in progress stay until its end; voiding their grant takes them back. */
  removeRecurringGrant(account: string, name: string, query?: { unit?: string | undefined }, call?: Call): Promise<RecurringGrant>;

  /** Undo a spend, wholly or in part, into the grants that paid it. */
  refund(account: string, body: Refund, call?: Call): Promise<Transaction>;

  /** Undo a clawback: the dispute was won. */
  reinstate(account: string, body: Reinstate, call?: Call): Promise<Transaction>;

  /** Undo what is left of any transaction as a whole, whatever its kind. */
  reverse(account: string, body: Reverse, call?: Call): Promise<Transaction>;

  /** Take credits for something. `allow_partial` takes what is there; `min_available_after` keeps a rest. */
  spend(account: string, body: Spend, call?: Call): Promise<Transaction>;

  /** Who spent what of an account in a period, the largest first. */
  listSpending(account: string, query?: { since?: string | Date | undefined; until?: string | Date | undefined; unit?: string | undefined }, call?: Call): Promise<PageMemberSpending>;

  /** One period of an account, streamed: memory is constant however long it is. */
  getStatement(account: string, query: { since: string | Date; until: string | Date; unit?: string | undefined; format?: "json" | "csv" | undefined }, call?: Call): Promise<Record<string, unknown> | string>;

  /** When this account buys credits by itself. */
  getTopUpRule(account: string, query?: { unit?: string | undefined }, call?: Call): Promise<TopUpRule>;

  /** Let an account buy a price by itself; again changes it. The worker does it. */
  putTopUpRule(account: string, body: PutTopUpRule, call?: Call): Promise<TopUpRule>;

  /** End automatic top-ups. */
  removeTopUpRule(account: string, query?: { unit?: string | undefined }, call?: Call): Promise<Removed>;

  /** End the pause after failures. */
  resumeTopUp(account: string, body: WithUnit, call?: Call): Promise<TopUpRule>;

  /** Transactions, newest first. */
  listTransactions(account: string, query?: { unit?: string | undefined; kind?: Array<"purchase" | "grant" | "spend" | "refund" | "clawback" | "reinstate" | "expire" | "adjust" | "transfer" | "migrate"> | undefined; since?: string | Date | undefined; until?: string | Date | undefined; text?: string | undefined; metadata?: string | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageTransaction>;

  /** One transaction. */
  getTransaction(account: string, seq: number, query?: { unit?: string | undefined }, call?: Call): Promise<Transaction>;

  /** Which grants paid a spend, in burn-down order; `grant` null is what no grant covered. */
  listDraws(account: string, seq: number, query?: { unit?: string | undefined }, call?: Call): Promise<PageDraw>;

  /** Move credits to another account, all or nothing; they keep source, priority, expiry and cost. */
  transfer(account: string, body: Transfer, call?: Call): Promise<Transaction>;

  /** Let changes through again. */
  unfreeze(account: string, body: WithUnit, call?: Call): Promise<Account>;

  /** What an account spent per day and feature, less what of it was refunded. A feature is `metadata.feature`, else the reason. */
  listUsage(account: string, query: { since: string | Date; until: string | Date; unit?: string | undefined; zone?: string | undefined; features?: number | undefined }, call?: Call): Promise<PageUsage>;

  /** Who did what, newest first. */
  listAuditLog(query?: { actor?: string | undefined; action?: string | undefined; target?: string | undefined; since?: string | Date | undefined; until?: string | Date | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageAuditEntry>;

  /** Do up to 10,000 operations, each with its own result or problem in the same place. With `atomic` all or none: the first refusal is the answer and nothing has changed. */
  batch(body: Batch, call?: Call): Promise<Outcomes>;

  /** The buyer came back: look at Stripe now, so that the credits are there without waiting. `state` paid: they are. */
  confirmCheckout(session: string, call?: Call): Promise<Order>;

  /** The inbox, newest first. */
  listDeliveries(query?: { status?: string | undefined; payment?: string | undefined; type?: string | undefined; event?: string | undefined; since?: string | Date | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageDictStrAny>;

  /** One delivery with its body (unless it was erased) and its payment. */
  getDelivery(delivery: number, call?: Call): Promise<Record<string, unknown>>;

  /** Decide that nothing is to be done about it. */
  ignoreDelivery(delivery: number, body: Decision, call?: Call): Promise<Record<string, unknown>>;

  /** Back into the queue, whatever became of it; that is always safe. */
  retryDelivery(delivery: number, call?: Call): Promise<Retried>;

  /** Differences between Stripe and the ledger that reconcile found, newest first. */
  listDiscrepancies(query?: { state?: string | undefined; payment?: string | undefined; since?: string | Date | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageDictStrAny>;

  /** Where events are sent to, and how that goes. */
  listEndpoints(query?: { limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageWebhookEndpoint>;

  /** Send events to an address from now on, signed by the Standard Webhooks scheme; again changes it and ends a suspension. */
  putEndpoint(endpoint: string, body: PutEndpoint, call?: Call): Promise<WebhookEndpoint>;

  /** Send nothing more there. */
  removeEndpoint(endpoint: string, call?: Call): Promise<Removed>;

  /** The last attempts to send events there, newest first, at most 50: when, which event, status, error, duration. */
  listEndpointAttempts(endpoint: string, call?: Call): Promise<PageDeliveryAttempt>;

  /** Send one signed event of type `heller.test` there at once. It was taken when `error` is null; nothing else changes. */
  testEndpoint(endpoint: string, call?: Call): Promise<DeliveryAttempt>;

  /** Every transaction in the order of recording; `next` goes on where this page ends, also when it is empty. A new event shows once nothing older can come: about a second after it, if somebody asks that often. None is skipped. */
  listEvents(query?: { account?: string | undefined; kind?: Array<"purchase" | "grant" | "spend" | "refund" | "clawback" | "reinstate" | "expire" | "adjust" | "transfer" | "migrate"> | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageDictStrAny>;

  /** The API keys, never their secrets, newest first. */
  listKeys(query?: { include_ended?: boolean | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageApiKey>;

  /** Make an API key. Its secret is answered this once and kept nowhere. */
  createKey(body: CreateKey, call?: Call): Promise<NewApiKey>;

  /** Make a key worthless, within ten seconds everywhere. */
  revokeKey(key: string, call?: Call): Promise<ApiKey>;

  /** Make a key with the name, role, scopes and rate of another, which ends after the overlap. Its secret is answered this once. */
  rotateKey(key: string, body: RotateKey, call?: Call): Promise<RotatedApiKey>;

  /** Who calls, and what the scopes are. */
  me(call?: Call): Promise<Me>;

  /** How many accounts live where, as this side knows it: heller, legacy, moving, quarantined. */
  getHomes(call?: Call): Promise<Record<string, number>>;

  /** Source rows that are no row of their own here, and why. */
  listMigrationOutcomes(query?: { outcome?: "quarantined" | "merged" | undefined; table?: string | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageDictStrAny>;

  /** The copies, newest first: truth, decisions, summary, and how many rows were set aside. */
  listMigrationRuns(query?: { limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageDictStrAny>;

  /** The steps of migrations (audit, backup, plan, copy, verify, proof) with their progress, newest first. */
  listMigrationSteps(query?: { limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageJournalledStep>;

  /** One step with what it answered. */
  getMigrationStep(step: number, call?: Call): Promise<JournalledStep>;

  /** One order, by its id, session or subscription. */
  getOrder(order: string, call?: Call): Promise<Order>;

  /** Purchases and what became of them, newest first. */
  listPayments(query?: { account?: string | undefined; since?: string | Date | undefined; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageDictStrAny>;

  /** Say whose a payment is and what it is worth; the worker credits it if Stripe says that it was paid. */
  assignPayment(payment: string, body: Assign, call?: Call): Promise<Record<string, unknown>>;

  /** A link that signs one of your users into the portal, once and soon. Redirect the user to it; do not send it by mail. */
  openPortalSession(body: OpenPortal, call?: Call): Promise<PortalSession>;

  /** What can be bought. */
  listPrices(query?: { include_retired?: boolean | undefined }, call?: Call): Promise<PagePrice>;

  /** Sell something. Again with the same figures changes its words only; other figures are another price. */
  addPrice(body: AddPrice, call?: Call): Promise<Price>;

  /** Sell it no more. */
  retirePrice(price: string, call?: Call): Promise<Price>;

  /** Trial balance, liabilities and deferred revenue over all accounts. `difference` is 0. */
  getBooks(call?: Call): Promise<Books>;

  /** Grants of all accounts that expire before an instant, and what is left of each. */
  listAllExpiring(query: { before: string | Date; limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageGrant>;

  /** Recognised and deferred revenue of a period, per currency, in minor units. A closed period never changes. */
  getRevenue(query: { since: string | Date; until: string | Date }, call?: Call): Promise<PageRevenue>;

  /** What all accounts spent, and what was refunded, by feature, account or metadata. A closed period never changes. */
  getUsage(query: { since: string | Date; until: string | Date; by?: string | undefined; per?: "day" | "week" | "month" | "year" | undefined; unit?: string | undefined; zone?: string | undefined; names?: number | undefined }, call?: Call): Promise<PageUsageLine>;

  /** How the rollout stands, with the last verdict of its guardrails. */
  getRollout(call?: Call): Promise<RolloutNow>;

  /** Begin at the first stage; the worker moves the homes. */
  startRollout(body: StartRollout, call?: Call): Promise<RolloutNow>;

  /** Send everyone home to the legacy system whatever the stage. */
  startFallback(body: ChangeRollout, call?: Call): Promise<RolloutNow>;

  /** Back to the stage. */
  endFallback(body: ChangeRollout, call?: Call): Promise<RolloutNow>;

  /** Stop moving; everybody stays where they are. */
  haltRollout(body: ChangeRollout, call?: Call): Promise<RolloutNow>;

  /** What was done to the rollout, by whom and why, newest first. */
  listRolloutLog(query?: { limit?: number | undefined; cursor?: string | undefined }, call?: Call): Promise<PageLogEntry>;

  /** Go to the next stage. Refused while the guardrails have not passed this one. */
  promoteRollout(body: Promote, call?: Call): Promise<RolloutNow>;

  /** Clear a halt; the stage begins its evidence anew. */
  resumeRollout(body: ChangeRollout, call?: Call): Promise<RolloutNow>;

  /** Return everyone; the worker moves the homes back. */
  rollBack(body: ChangeRollout, call?: Call): Promise<RolloutNow>;

  /** The users known by a name; more than one means that it is ambiguous. */
  resolve(query: { name: string }, call?: Call): Promise<PageUser>;

  /** A user by its id: every name it is known by, and its accounts. */
  getUser(user: string, call?: Call): Promise<User>;

  /** Make a name (e-mail, auth0 subject, ...) known as a user's; it may then sign in by it. */
  addIdentity(user: string, body: AddIdentity, call?: Call): Promise<Identity>;

  /** Which home serves a user now: heller, legacy, moving (ask again in a moment), or unknown (never seen here). For applications in any language: ask before each operation, and serve the user from the home it names. `user` is an account's id, a user's id, or any name of one user. */
  route(user: string, query?: { unit?: string | undefined }, call?: Call): Promise<Route>;

  /** A token with which `widget.js` shows one account's available credits on a page of yours, and nothing else. */
  makeWidgetToken(body: MakeWidgetToken, call?: Call): Promise<WidgetToken>;
}
