-- heller's guard in a legacy database. Everything is in this schema and goes with `heller migrate fence remove`.
create schema if not exists heller_fence;
comment on schema heller_fence is 'heller: one owner per user. Refuses changes of credits of users whose home is heller.';

create table if not exists heller_fence.settings (
  one boolean primary key default true check (one),
  system text not null, truth text not null, fence_mode text not null default 'refuse' check (fence_mode in ('refuse', 'capture')),
  mapping text,  -- the mapping file's own text, for every later command
  installed_at timestamptz not null default clock_timestamp()
);
create table if not exists heller_fence.fence (
  user_id text collate "C" primary key, epoch bigint not null default 0 check (epoch >= 0), stray boolean not null default false,
  changed_at timestamptz not null default clock_timestamp()
) with (fillfactor = 70);
comment on table heller_fence.fence is 'One row a user: even epoch is at home here, odd is away. The guard reads it FOR SHARE, a seal waits for nobody.';
create index if not exists fence_moved on heller_fence.fence (user_id) where epoch > 0;
create table if not exists heller_fence.aliases (name text collate "C" primary key, user_id text collate "C" not null);
create index if not exists aliases_user on heller_fence.aliases (user_id);
comment on table heller_fence.aliases is 'Further names of a user that rows are written under.';
create table if not exists heller_fence.statements (
  user_id text collate "C", epoch bigint, balance bigint not null, rows bigint not null, sum bigint not null, digest text not null,
  sealed_at timestamptz not null default clock_timestamp(), primary key (user_id, epoch)
);
create table if not exists heller_fence.receipts (
  user_id text collate "C", epoch bigint, balance bigint not null, transactions bigint not null, sum bigint not null, digest text not null,
  received_at timestamptz not null default clock_timestamp(), primary key (user_id, epoch)
);
create table if not exists heller_fence.carried (
  user_id text collate "C", seq bigint, delta bigint not null, source_table text, source_id text, primary key (user_id, seq)
);
create index if not exists carried_row on heller_fence.carried (source_table, source_id);
comment on table heller_fence.carried is 'Transactions made in heller that a return wrote into the history here: each once.';
create table if not exists heller_fence.carried_payments (
  payment_key text collate "C" primary key, user_id text collate "C" not null, source_table text, source_id text
);
alter table heller_fence.carried_payments add column if not exists delivered bigint;
comment on column heller_fence.carried_payments.delivered is 'Credits of a purchase made in heller and paid after its buyer had gone home: written here alone.';
create index if not exists carried_payments_user on heller_fence.carried_payments (user_id);
create table if not exists heller_fence.keys (
  user_id text collate "C", key text collate "C", kind text not null, delta bigint not null, reason text not null, metadata jsonb,
  source_table text, source_id text, primary key (user_id, key)
);
comment on table heller_fence.keys is 'Idempotency keys of changes made through heller''s facade in either home, so that a retry after a move is still a replay.';
create table if not exists heller_fence.credited (key text collate "C" primary key, user_id text collate "C" not null);
comment on table heller_fence.credited is 'Names of payments that heller credited: the guard refuses to credit them here again.';
create table if not exists heller_fence.opening (user_id text collate "C" primary key, balance bigint not null, history bigint not null, brought bigint not null
);
comment on table heller_fence.opening is 'What each user had when the fence was built: conservation is counted from here.';
create table if not exists heller_fence.outbox (
  id bigint generated always as identity primary key, user_id text collate "C" not null, part text not null, operation text not null,
  entry jsonb not null, txid text not null, captured_at timestamptz not null default clock_timestamp(), drained_at timestamptz, outcome text
);
alter table heller_fence.outbox add column if not exists change bigint;
comment on column heller_fence.outbox.change is 'Credits that the row brings, in heller''s units; 1 for a payment, whose row says what was bought.';
create index if not exists outbox_open on heller_fence.outbox (id) where drained_at is null;
create index if not exists outbox_user on heller_fence.outbox (user_id, id);

create or replace function heller_fence.key(p_name text) returns text language sql immutable parallel safe set search_path = pg_catalog as $$
  select nullif(case
    when strpos(p_name, '@') > 0 or p_name ~* '^\s*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\s*$'
    then lower(btrim(p_name)) else btrim(p_name) end, '')
$$;

create or replace function heller_fence.row_hash(p_row text) returns bigint language sql immutable parallel safe as $$
  select ('x' || substr(pg_catalog.md5(p_row), 1, 16))::bit(64)::bigint
$$;

create or replace function heller_fence.user_of(p_ref text) returns text language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  u text;
begin
  select user_id into u from heller_fence.fence where user_id = p_ref and not stray;
  if not found then select user_id into u from heller_fence.aliases where name = p_ref; end if;
  if u is null then select user_id into u from heller_fence.aliases where name = heller_fence.key(p_ref); end if;
  if u is null then select user_id into u from heller_fence.fence where user_id = heller_fence.key(p_ref) and not stray; end if;
  return u;
end $$;

create or replace function heller_fence.epoch_of(p_ref text, p_strict boolean) returns bigint
language plpgsql security definer set search_path = pg_catalog as $$
declare
  u text := heller_fence.user_of(p_ref);
  e bigint;
begin
  if p_ref is null then return 0; end if;  -- nobody's row
  if u is null then
    if p_strict then
      raise exception 'there is no fence row for user %', p_ref using errcode = 'MG002', hint = 'Run heller migrate fence install again.';
    end if;
    insert into heller_fence.fence (user_id, stray) values (p_ref, true) on conflict do nothing;
    u := p_ref;
  end if;
  select epoch into e from heller_fence.fence where user_id = u for share;
  if not found then
    raise exception 'there is no fence row for user %', u using errcode = 'MG002', hint = 'Run heller migrate fence install again.';
  end if;
  return e;
end $$;

create or replace function heller_fence.gained(p_old text, p_new text, p_scale bigint) returns bigint
language sql immutable parallel safe set search_path = pg_catalog as $$
  select case when x.change = trunc(x.change) then x.change::bigint end from (
    select (coalesce(case when p_new ~ '^\s*[-+]?[0-9]{1,18}(\.[0-9]*)?\s*$' then p_new::numeric end, 0)
            - coalesce(case when p_old ~ '^\s*[-+]?[0-9]{1,18}(\.[0-9]*)?\s*$' then p_old::numeric end, 0)) * p_scale as change) x
$$;
comment on function heller_fence.gained(text, text, bigint) is 'What a balance gains, in heller''s units; null where it is finer than these.';

create or replace function heller_fence.refused(p_ref text, p_part text, p_operation text, p_entry jsonb, p_change bigint) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
begin
  if (select fence_mode from heller_fence.settings) = 'capture' then
    if p_change is null then
      raise exception 'user % is owned by heller, and what this change of % brings is unreadable or finer than the mapping''s scale', p_ref, p_part
        using errcode = 'MG001', hint = 'Nothing was kept: book it in heller, or give the mapping a finer scale before the first copy.';
    elsif p_change > 0 then
      insert into heller_fence.outbox (user_id, part, operation, entry, txid, change)
      values (coalesce(heller_fence.user_of(p_ref), p_ref), p_part, p_operation, p_entry, pg_current_xact_id()::text, p_change);
      return true;
    end if;
  end if;
  raise exception 'user % is owned by heller', p_ref
    using errcode = 'MG001', hint = 'The credits of this user have moved: ask heller, or route by heller_fence.home(user).';
end $$;
comment on function heller_fence.refused(text, text, text, jsonb, bigint) is
  'Refuses a change of a user who is away; in fence_mode capture, what brings credits goes to the outbox instead.';

create or replace function heller_fence.refuse_credited(p_entry jsonb) returns void
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_key text;
begin
  select c.key into v_key from heller_fence.credited c
  where c.key in (select m[1] from regexp_matches(p_entry::text, '\m((?:pi|cs|ch|in|evt)_[A-Za-z0-9_]+)', 'g') m) limit 1;
  if found then
    raise exception 'payment % was credited by heller already', v_key using errcode = 'MG003', hint = 'This is a late repetition; acknowledge it.';
  end if;
end $$;

create or replace function heller_fence.too_fine(p_number bigint, p_column text) returns text language plpgsql set search_path = pg_catalog as $$
begin
  raise exception '% cannot hold % of heller''s units: it has too few decimals', p_column, p_number
    using hint = 'Give the column more decimals, then run heller migrate fence install again.';
end $$;

create or replace function heller_fence.home(p_ref text) returns text language sql stable security definer set search_path = pg_catalog as $$
  select case f.epoch % 2 when 0 then 'legacy' else 'away' end from heller_fence.fence f where f.user_id = coalesce(heller_fence.user_of(p_ref), p_ref)
$$;
comment on function heller_fence.home(text) is 'legacy or away, null for a user never seen. Advice for routing; the guard is what decides.';

create or replace function heller_fence.no_truncate() returns trigger language plpgsql security definer set search_path = pg_catalog as $$
begin
  if exists (select from heller_fence.fence where epoch % 2 = 1) then
    raise exception 'table % holds rows of users that are owned by heller', tg_table_name using errcode = 'MG001';
  end if;
  return null;
end $$;

revoke all on schema heller_fence from public;
grant usage on schema heller_fence to public;
grant execute on function heller_fence.home(text), heller_fence.user_of(text) to public;
revoke all on function heller_fence.refused(text, text, text, jsonb, bigint), heller_fence.epoch_of(text, boolean),
  heller_fence.refuse_credited(jsonb) from public;
