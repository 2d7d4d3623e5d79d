create or replace function heller.usage_of(
  p_account_id text, p_from timestamptz, p_until timestamptz, p_unit text default 'credit', p_zone text default 'UTC', p_features integer default 6
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._check_period(p_from, p_until), heller._check_time_zone('zone', p_zone);
  with period as materialized (
    select b.first_seq, b.end_seq from heller._seqs_between(p_account_id, p_unit, p_from, p_until) b
  ), refunded as materialized (
    select x.related_seq as seq, sum(x.delta) as credits from period b cross join heller.transactions x
    where x.account_id = p_account_id and x.unit = p_unit and x.kind = 'refund' and x.related_seq >= b.first_seq and x.related_seq < b.end_seq
    group by x.related_seq
    union all
    select x.related_seq, sum(x.delta) from period b
    join heller.transactions o on o.account_id = p_account_id and o.unit = p_unit and o.filed_at is not null
      and o.effective_at >= p_from and o.effective_at < p_until and (o.seq < b.first_seq or o.seq >= b.end_seq)
    join heller.transactions x on x.account_id = p_account_id and x.unit = p_unit and x.related_seq = o.seq and x.kind = 'refund'
    group by x.related_seq
  ), daily as materialized ( -- few rows, whatever the account spent
    select (t.effective_at at time zone p_zone)::date as day, coalesce(t.metadata ->> 'feature', t.reason, '') as feature,
           sum(-t.delta - coalesce(r.credits, 0)) as spent, count(*) as n
    from heller._counting_between(p_account_id, p_unit, p_from, p_until) t left join refunded r on r.seq = t.seq
    where t.kind = 'spend' and t.effective_at >= p_from and t.effective_at < p_until
    group by 1, 2
  ), ranked as (
    select d.feature, row_number() over (order by sum(d.spent) desc, d.feature) as place from daily d group by d.feature
  )
  select jsonb_build_object('day', d.day, 'feature', case when r.place <= p_features then d.feature end, 'spent', sum(d.spent), 'count', sum(d.n))
  from daily d join ranked r using (feature)
  group by d.day, case when r.place <= p_features then d.feature end
  order by d.day, sum(d.spent) desc
$$;
comment on function heller.usage_of(text, timestamptz, timestamptz, text, text, integer) is
  'What an account spent per day and feature (metadata.feature, else the reason, else an empty text), less what of it was refunded; by effective_at in a time zone. The p_features largest are named, the others come together as null.';
