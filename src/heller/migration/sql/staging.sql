-- The workspace of one run. Everything here is dropped at the end; a killed run's leftover is dropped at the start.
create schema heller_staging;

-- Source tables by number: kept small in the staged rows, spelled out in provenance.
create unlogged table heller_staging.sources (
  source smallint, part text, label text, rows bigint not null default 0, strict boolean, json_type text
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
-- plpgsql, because a function of SQL would have its cast folded, and fail, before its condition is looked at.
-- Where the server can be asked first, no subtransaction is needed, and several processes may read at once.
do $$
declare
  v_can_ask boolean := current_setting('server_version_num')::integer >= 160000;
begin
  execute format('create function heller_staging.json(p_text text) returns jsonb immutable parallel %s language plpgsql as %L',
    case when v_can_ask then 'safe' else 'unsafe' end,
    case when v_can_ask then 'begin if pg_input_is_valid(p_text, ''jsonb'') then return p_text::jsonb; end if; return null; end'
         else 'begin return p_text::jsonb; exception when others then return null; end' end);
end $$;

-- A row's extra data as it is kept: under the key legacy, or word for word under legacy_text.
-- What the source's own type has checked can only hold what jsonb cannot: a NUL, half a pair, a number beyond bounds.
create function heller_staging.extra(p_text text, p_is_checked boolean) returns jsonb language plpgsql stable parallel safe as $$
declare
  v_value jsonb;
begin
  if p_text is null or p_text = '{}' then return null; end if;
  if p_is_checked and length(p_text) < 16000 and strpos(p_text, '\u') = 0 and p_text !~ '[0-9][eE][-+]?[0-9]{3}' then
    return jsonb_build_object('legacy', p_text::jsonb);
  end if;
  v_value := heller_staging.json(p_text);
  return case when v_value is null then jsonb_build_object('legacy_text', p_text) else jsonb_build_object('legacy', v_value) end;
end $$;
do $$
begin
  if current_setting('server_version_num')::integer < 160000 then
    alter function heller_staging.extra(text, boolean) parallel unsafe;
  end if;
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
