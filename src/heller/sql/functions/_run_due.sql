create or replace function heller._run_due(a heller.accounts) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();
  v_due record;
  v_rest bigint;
  v_held bigint := a.held;
  v_closed bigint := 0;
  v_expired_at timestamptz;
  v_forfeited_at timestamptz;
  v_has_outlived boolean := exists (select from heller.grants where account_id = a.account_id and unit = a.unit and remaining > 0
                                                                  and ended_at is not null and expires_at is not null);
begin
  perform heller._recur(a, v_now);
  -- what expires between two other events is forfeited together: the outcome is the same, one look suffices
  for v_due in
    select d.*, lead(d.at) over (order by d.at, d.rank, d.id) is distinct from d.at as is_last_then from (
    select 1 as rank, 'arrival' as what, grant_id as id, available_at as at from heller.grants
    where account_id = a.account_id and unit = a.unit and seq is null and ended_at is null and available_at <= v_now
    union all
    select 2, 'hold', hold_id, expires_at from heller.holds
    where account_id = a.account_id and unit = a.unit and state = 'open' and expires_at <= v_now
    union all
    select 3, 'expiry', grant_id, expires_at from heller.grants
    where account_id = a.account_id and unit = a.unit and expires_at <= v_now and ended_at is null
      and (remaining > 0 or seq is null and available_at <= v_now)
    ) d order by d.at, d.rank, d.id
  loop
    if v_due.what = 'expiry' then
      v_expired_at := v_due.at;
      continue;
    end if;
    if v_expired_at is not null then  -- with what was held until now
      select * into a from heller.accounts where account_id = a.account_id and unit = a.unit;
      a.held := v_held;
      perform heller._forfeit(a, v_expired_at);
      v_forfeited_at := v_expired_at;
      v_expired_at := null;
      v_has_outlived := v_held > 0;
    end if;
    if v_due.what = 'hold' then
      update heller.holds set state = 'expired', closed_at = v_due.at
      where account_id = a.account_id and unit = a.unit and hold_id = v_due.id
      returning greatest(amount - captured, 0) into v_rest;
      v_held := v_held - v_rest;
      v_closed := v_closed + 1;
    else
      select * into a from heller.accounts where account_id = a.account_id and unit = a.unit;
      perform heller._arrive(a, v_due.id);
    end if;
    if v_has_outlived and v_due.is_last_then then
      select * into a from heller.accounts where account_id = a.account_id and unit = a.unit;
      a.held := v_held;
      perform heller._forfeit(a, v_due.at);
      v_forfeited_at := v_due.at;
      v_has_outlived := exists (select from heller.grants where account_id = a.account_id and unit = a.unit and remaining > 0
                                                            and ended_at is not null and expires_at is not null);
    end if;
  end loop;
  if v_expired_at is not null then
    select * into a from heller.accounts where account_id = a.account_id and unit = a.unit;
    a.held := v_held;
    perform heller._forfeit(a, v_expired_at);
    v_forfeited_at := v_expired_at;
  end if;
  if v_forfeited_at is not null then perform heller._end_expired(a, v_forfeited_at); end if;
  if v_closed > 0 then
    update heller.accounts set held = v_held, version = version + v_closed where account_id = a.account_id and unit = a.unit;
  end if;
  perform heller._reset_due(a.account_id, a.unit);
end $$;
comment on function heller._run_due(heller.accounts) is
  'Expires the holds and grants that are due and lets scheduled and recurring grants arrive, in the order of their instants (at one instant: arrivals, holds, grants). The account must be locked.';
