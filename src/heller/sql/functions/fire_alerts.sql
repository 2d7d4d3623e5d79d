create or replace function heller.fire_alerts(p_limit integer default 100) returns setof jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();  -- Citus lets no update read a clock
  r record;
  l heller.alerts;
begin
  for r in
    select * from (select x.*, (heller._account_result(row(a.*)::heller.accounts) ->> 'available')::bigint as available
                   from heller.alerts x join heller.accounts a using (account_id, unit) where x.fired_at is not null) x
    where x.available >= x.rearm_at order by x.account_id, x.unit, x.threshold
  loop
    update heller.alerts set fired_at = null where account_id = r.account_id and unit = r.unit and threshold = r.threshold;
  end loop;
  for r in
    select * from (select x.*, (heller._account_result(row(a.*)::heller.accounts) ->> 'available')::bigint as available
                   from heller.alerts x join heller.accounts a using (account_id, unit) where x.fired_at is null) x
    where x.available < x.threshold order by x.account_id, x.unit, x.threshold limit least(greatest(p_limit, 1), 1000)
  loop
    update heller.alerts set fired_at = v_now
    where account_id = r.account_id and unit = r.unit and threshold = r.threshold and fired_at is null returning * into l;
    continue when not found;  -- somebody else has told it
    return next heller._alert_result(l) || jsonb_build_object('available', r.available);
  end loop;
end $$;
comment on function heller.fire_alerts(integer) is
  'The alerts whose threshold has been crossed since they were armed, now marked as told; re-arms those that may tell again. Looks at the balances of now: a dip that was refilled between two calls is not told.';
