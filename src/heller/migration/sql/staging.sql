-- The workspace of one run. Everything here is dropped at the end; a killed run's leftover is dropped at the start.
create schema heller_staging;

-- Source tables by number: kept small in the staged rows, spelled out in provenance.
create unlogged table heller_staging.sources (
  source smallint, part text, label text, rows bigint not null default 0, strict boolean, json_checked boolean
);

create unlogged table heller_staging.users (
  source smallint, id text, email text, name text, balance bigint, customer text, created_at timestamptz, names text[], odd text
);
create unlogged table heller_staging.customers (
  source smallint, user_ref text, customer text, created_at timestamptz, odd text
);
create unlogged table heller_staging.payments (
  source smallint, id text, user_ref text, provider text, intent text, session text, amount bigint, currency text,
  credits bigint, status text, event text, raw text, created_at timestamptz, odd text
);
create unlogged table heller_staging.transactions (
  source smallint, ledger boolean, id text, user_ref text, delta bigint, reason text, description text, payment_ref text,
  admin_ref text, event text, metadata text, created_at timestamptz, odd text
);
create unlogged table heller_staging.events (
  source smallint, event text, type text, status text, error text, received_at timestamptz, odd text
);
create unlogged table heller_staging.admin_actions (
  source smallint, id text, actor_ref text, user_ref text, delta bigint, comment text, created_at timestamptz, odd text
);

-- Rows that cannot be carried, with one sentence each.
create unlogged table heller_staging.quarantine (source smallint, id text, user_ref text, credits bigint, reason text);

create unlogged table heller_staging.findings (code text, key text, account text, credits bigint, detail jsonb);

-- What the operator decided: key '' is the default of a code.
create unlogged table heller_staging.decided (code text, key text, choice text);

-- How the mapping says a reason or a status is to be understood.
create unlogged table heller_staging.kinds (reason text primary key, kind text);
create unlogged table heller_staging.statuses (status text primary key, state text);

-- A name as it is compared: e-mails and uuids without regard to case, no surrounding blanks, nothing for an empty one.
create function heller_staging.key(p_name text) returns text language sql immutable parallel safe as $$
  select nullif(case
    when strpos(p_name, '@') > 0 or length(p_name) >= 36 and p_name ~* '^\s*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\s*$'
    then lower(btrim(p_name)) else btrim(p_name) end, '')
$$;

-- JSON that may not be JSON: null when it cannot be read (a NUL character, a lone surrogate, a number beyond all bounds).
create function heller_staging.json(p_text text) returns jsonb language plpgsql immutable parallel safe as $$
begin
  return p_text::jsonb;
exception when others then
  return null;
end $$;

-- What a payment's status means: was it paid, and is it still?
create function heller_staging.state(p_status text) returns text language sql stable parallel safe as $$
  select coalesce(
    (select s.state from heller_staging.statuses s where s.status = lower(btrim(p_status))),
    case
      when lower(btrim(p_status)) in ('paid', 'credited', 'completed', 'complete', 'succeeded', 'success', 'settled') then 'paid'
      when lower(btrim(p_status)) in ('refunded', 'partially_refunded', 'refund') then 'refunded'
      when lower(btrim(p_status)) in ('chargeback', 'charged_back', 'disputed', 'dispute') then 'chargeback'
      when lower(btrim(p_status)) in ('canceled', 'cancelled', 'expired', 'void') then 'canceled'
      when lower(btrim(p_status)) in ('failed', 'failure', 'declined') then 'failed'
      else 'open'
    end)
$$;
