create or replace function heller.fire_alerts(p_limit integer default 100) returns setof jsonb
language plpgsql security definer set search_path = pg_catalog as $$
begin
  update heller.alerts l set fired_at = null
  from heller.accounts a, lateral heller._after_due(a) x
  where l.fired_at is not null and a.account_id = l.account_id and a.unit = l.unit and x.posted - x.held + a.overdraft_limit >= l.rearm_at;
  return query
    with due as (
      select l.account_id, l.unit, l.threshold, x.posted - x.held + a.overdraft_limit as available
      from heller.alerts l join heller.accounts a using (account_id, unit), lateral heller._after_due(a) x
      where l.fired_at is null and x.posted - x.held + a.overdraft_limit < l.threshold
      order by l.account_id, l.unit, l.threshold limit least(greatest(p_limit, 1), 1000)
      for update of l skip locked
    ), fired as (
      update heller.alerts l set fired_at = heller._clock() from due d
      where l.account_id = d.account_id and l.unit = d.unit and l.threshold = d.threshold returning l.*, d.available
    )
    select heller._alert_result((f.account_id, f.unit, f.threshold, f.rearm_at, f.fired_at, f.created_at)::heller.alerts)
           || jsonb_build_object('available', f.available) from fired f;
end $$;
comment on function heller.fire_alerts(integer) is
  'The alerts whose threshold has been crossed since they were armed, now marked as told; re-arms those that may tell again. Looks at the balances of now: a dip that was refilled between two calls is not told.';
