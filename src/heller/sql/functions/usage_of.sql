create or replace function heller.usage_of(
  p_account_id text, p_from timestamptz, p_until timestamptz, p_unit text default 'credit', p_zone text default 'UTC', p_features integer default 6
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  with spends as materialized (
    select (t.effective_at at time zone p_zone)::date as day, coalesce(t.metadata ->> 'feature', t.reason) as feature,
           -t.delta - coalesce(r.refunded, 0) as spent
    from heller.transactions t
    left join (select x.related_seq, sum(x.delta) as refunded from heller.transactions x
               where x.account_id = p_account_id and x.unit = p_unit and x.kind = 'refund' and x.related_seq is not null
               group by x.related_seq) r on r.related_seq = t.seq
    where t.account_id = p_account_id and t.unit = p_unit and t.kind = 'spend' and t.effective_at >= p_from and t.effective_at < p_until
  ), ranked as (
    select s.feature, row_number() over (order by sum(s.spent) desc, s.feature) as place from spends s group by s.feature
  )
  select jsonb_build_object('day', s.day, 'feature', case when r.place <= p_features then s.feature end, 'spent', sum(s.spent), 'count', count(*))
  from spends s join ranked r using (feature)
  group by s.day, case when r.place <= p_features then s.feature end
  order by s.day, sum(s.spent) desc
$$;
comment on function heller.usage_of(text, timestamptz, timestamptz, text, text, integer) is
  'What an account spent per day and feature (metadata.feature, else the reason), less what of it was refunded; by effective_at in a time zone. The p_features largest are named, the others come together as null.';
