create or replace function heller.put_recurring_grant(
  p_account_id text, p_name text, p_amount bigint, p_period text default 'month', p_unit text default 'credit', p_rollover bigint default 0,
  p_expires boolean default true, p_anchor timestamptz default null, p_time_zone text default 'UTC', p_starts_at timestamptz default null,
  p_ends_at timestamptz default null, p_source text default 'subscription', p_priority integer default 100, p_cost bigint default 0,
  p_currency text default null, p_reason text default null, p_metadata jsonb default null, p_dry_run boolean default false
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz;
  v_time_zone text;
  a heller.accounts;
  r heller.recurring_grants;
  v_result jsonb;
begin
  if p_dry_run then
    begin
      v_result := heller.put_recurring_grant(p_account_id, p_name, p_amount, p_period, p_unit, p_rollover, p_expires, p_anchor, p_time_zone,
                                             p_starts_at, p_ends_at, p_source, p_priority, p_cost, p_currency, p_reason, p_metadata);
      raise exception using errcode = 'HL900';
    exception when sqlstate 'HL900' then return v_result || '{"dry_run": true}';
    end;
  end if;
  perform heller._check_common(p_account_id, p_unit, p_reason, null, null, p_metadata);
  perform heller._check_text('name', p_name, 200), heller._check_amount('amount', p_amount),
    heller._check_given(p_source, p_priority, p_cost, p_currency),
    heller._check_instant('anchor', p_anchor), heller._check_instant('starts_at', p_starts_at), heller._check_instant('ends_at', p_ends_at);
  if p_amount > 1000000000000 then  -- a century of days of it fits into a balance: what recurs must never be refused when it is due
    perform heller._fail('HL001', format('amount is %s; at most 1000000000000 credits can recur', p_amount), '{"argument": "amount"}');
  end if;
  v_time_zone := heller._check_recurrence(p_period, p_time_zone, p_rollover, p_expires);
  a := heller._lock(p_account_id, p_unit);  -- what has begun is given as it was set until now
  v_now := heller._clock();
  select * into r from heller.recurring_grants where account_id = p_account_id and unit = p_unit and name = p_name;
  if not found and (select count(*) from heller.recurring_grants where account_id = p_account_id and unit = p_unit) >= 100 then
    perform heller._fail('HL012', format('account %s has 100 recurring grants already', p_account_id), '{"limit": "recurring_grants"}');
  end if;
  if p_starts_at is not null or r.next_at is null or r.next_at >= r.ends_at then
    r.next_at := greatest(p_starts_at, v_now, r.given_until);
  end if;
  if p_ends_at <= v_now or p_ends_at <= r.next_at and r.given_until is null then
    perform heller._fail('HL001', format('ends_at %s is before the first period, which begins at %s', p_ends_at, r.next_at), '{"argument": "ends_at"}');
  end if;
  r.anchor := coalesce(p_anchor, r.anchor, r.next_at);
  r.next_number := heller._period_number(r.anchor, v_time_zone, p_period, r.next_at);
  insert into heller.recurring_grants as x (
    account_id, unit, name, amount, period, anchor, time_zone, rollover, expires, source, priority, cost, currency, reason, metadata, next_number, next_at,
    ends_at, created_at)
  values (p_account_id, p_unit, p_name, p_amount, p_period, r.anchor, v_time_zone, p_rollover, p_expires, p_source, p_priority, p_cost, p_currency,
          coalesce(nullif(p_reason, ''), p_name), nullif(p_metadata, '{}'), r.next_number, r.next_at, p_ends_at, v_now)
  on conflict (account_id, unit, name) do update set amount = excluded.amount, period = excluded.period, anchor = excluded.anchor,
    time_zone = excluded.time_zone, rollover = excluded.rollover, expires = excluded.expires, source = excluded.source, priority = excluded.priority,
    cost = excluded.cost, currency = excluded.currency, reason = excluded.reason, metadata = excluded.metadata, next_number = excluded.next_number,
    next_at = excluded.next_at, ends_at = excluded.ends_at
  returning * into r;
  perform heller._reset_due(p_account_id, p_unit);
  perform heller._lock(p_account_id, p_unit);  -- a period that begins now is given now
  select * into r from heller.recurring_grants where account_id = p_account_id and unit = p_unit and name = p_name;
  return heller._recurring_grant_result(r);
end $$;
comment on function heller.put_recurring_grant(text, text, bigint, text, text, bigint, boolean, timestamptz, text, timestamptz, timestamptz, text, integer, bigint, text, text, jsonb, boolean) is
  'Gives an account p_amount credits every p_period, from now or p_starts_at on; periods begin at p_anchor and whole periods from it, by the calendar of p_time_zone. At the end of a period up to p_rollover of what is left live on for one more; all of it stays if p_expires is false. Again changes the settings, from the next period on.';
