create or replace function heller._recurring_due(a heller.accounts, p_at timestamptz) returns setof heller.grants
language sql stable set search_path = pg_catalog as $$
  -- in the order of the columns of grants
  select r.account_id, r.unit, (a).last_grant + row_number() over (order by p.starts_at, r.name, s.expires_at), null::bigint, s.amount, 0::bigint, r.source,
         r.priority, p.starts_at, s.expires_at, null::timestamptz, s.cost::bigint, r.currency, null::text, r.reason, 'heller'::text,
         coalesce(r.metadata, '{}') || jsonb_build_object('recurring', r.name), null::text, p.starts_at, r.name
  from heller.recurring_grants r
  cross join lateral generate_series(r.next_number, heller._period_number(r.anchor, r.time_zone, r.period,
                                                                          least(p_at, r.ends_at - interval '1 microsecond'))) n (number)
  cross join lateral (
    select case n.number when r.next_number then r.next_at else heller._period_boundary(r.anchor, r.time_zone, r.period, n.number) end as starts_at,
           heller._period_boundary(r.anchor, r.time_zone, r.period, n.number + 1) as until,
           case when r.expires then least(r.rollover, r.amount) else r.amount end as kept
  ) p
  cross join lateral (  -- what may outlive the period is a grant of its own; the others expire sooner, so they burn first
    values (p.until, r.amount - p.kept, r.cost - div(r.cost::numeric * p.kept, r.amount)),
           (case when r.expires then heller._period_boundary(r.anchor, r.time_zone, r.period, n.number + 2) end, p.kept,
            div(r.cost::numeric * p.kept, r.amount))
  ) s (expires_at, amount, cost)
  where r.account_id = (a).account_id and r.unit = (a).unit and r.next_at <= p_at and r.next_at < coalesce(r.ends_at, 'infinity')
    and s.amount > 0 and p.starts_at < p.until  -- a time zone may skip a day
    and (a).epoch % 2 is distinct from 0
$$;
comment on function heller._recurring_due(heller.accounts, timestamptz) is
  'The grants of the recurring periods that have begun by an instant and are not written yet, as they will be. Reads only; _recur writes them.';
