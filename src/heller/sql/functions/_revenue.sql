create or replace function heller._revenue(p_from timestamptz, p_until timestamptz, p_account_id text default null) returns jsonb
language sql stable set search_path = pg_catalog as $$
  with costly as (
    select row(g.*)::heller.grants as costs, g.account_id, g.unit, g.grant_id, g.currency, s.recorded_at as arrived_at, s.kind as arrived_by,
           g.amount - g.remaining - coalesce((select sum(d.amount) from heller.draws d
             where d.account_id = g.account_id and d.unit = g.unit and d.grant_id = g.grant_id
      and (not heller._is_spread() or d.account_id = p_account_id)), 0) as used_elsewhere
    from heller.grants g
    join heller.transactions s on s.account_id = g.account_id and s.unit = g.unit and s.seq = g.seq
    where g.cost > 0 and s.recorded_at < p_until
      and (not heller._is_spread() or g.account_id = p_account_id)
      and (not heller._is_spread() or s.account_id = p_account_id)
  ), laid as (  -- what spends not yet settled would draw
    select f.account_id, f.unit, a.last_seq, f.grant_id, a.settled_seq + 1 as first_seq, (a.settled_posted - f.before)::bigint as upper_balance,
           least(f.remaining, a.settled_posted - a.posted - f.before)::bigint as amount
    from heller.accounts a join lateral (
      select g.account_id, g.unit, g.grant_id, g.remaining, coalesce(sum(g.remaining) over (
               order by g.priority, g.expires_at nulls last, (g.source = 'promotion') desc, g.grant_id
               rows between unbounded preceding and 1 preceding), 0) as before
      from heller.grants g where g.account_id = a.account_id and g.unit = a.unit and g.remaining > 0
      and (not heller._is_spread() or g.account_id = p_account_id)) f on true
    where a.settled_seq < a.last_seq and a.settled_posted - a.posted > f.before
      and (not heller._is_spread() or a.account_id = p_account_id)
  ), drawn as (
    select account_id, unit, grant_id, first_seq, last_seq, upper_balance, amount from heller.draws d
    where not heller._is_spread() or d.account_id = p_account_id
    union all
    select account_id, unit, grant_id, first_seq, last_seq, upper_balance, amount from laid
  ), pieces as (
    select c.costs, c.currency, d.account_id, d.unit, d.grant_id, d.amount, t.kind, t.delta,
           c.used_elsewhere + coalesce(sum(d.amount) over (partition by d.account_id, d.unit, d.grant_id order by d.last_seq, d.upper_balance desc
                                                           rows between unbounded preceding and 1 preceding), 0) as used_before,
           -- how much of it was drawn before an instant: spends bring the balance down in the order of time
           case when d.first_seq = d.last_seq then case when t.recorded_at < p_from then d.amount else 0 end
                else least(greatest(d.upper_balance - coalesce(b.at_from, d.upper_balance), 0), d.amount) end as before_from,
           case when d.first_seq = d.last_seq then case when t.recorded_at < p_until then d.amount else 0 end
                else least(greatest(d.upper_balance - coalesce(b.at_until, d.upper_balance), 0), d.amount) end as before_until
    from drawn d
    join costly c using (account_id, unit, grant_id)
    join heller.transactions t on t.account_id = d.account_id and t.unit = d.unit and t.seq = d.last_seq
      and (not heller._is_spread() or t.account_id = p_account_id)
    left join lateral (
      select (select x.balance_after from heller.transactions x where x.account_id = d.account_id and x.unit = d.unit
                and x.seq between d.first_seq and d.last_seq and x.recorded_at < p_from
      and (not heller._is_spread() or x.account_id = p_account_id) order by x.seq desc limit 1) as at_from,
             (select x.balance_after from heller.transactions x where x.account_id = d.account_id and x.unit = d.unit
                and x.seq between d.first_seq and d.last_seq and x.recorded_at < p_until
      and (not heller._is_spread() or x.account_id = p_account_id) order by x.seq desc limit 1) as at_until
    ) b on d.first_seq < d.last_seq
  ), flows as (
    select currency, case when arrived_by = 'transfer' then 'moved' else 'sold' end as what,
           heller._worth(costs, (costs).amount) - heller._worth(costs, used_elsewhere) as amount, arrived_at < p_from as is_before from costly
    union all
    select p.currency,
           -- what arrives by a transfer and pays a debt at once is used, not moved on
           case when p.kind = 'expire' then 'breakage' when p.kind = 'transfer' and (p.delta < 0 or p.amount < 0) then 'moved'
                when p.kind in ('clawback', 'reinstate') or p.kind in ('purchase', 'grant', 'migrate') and p.delta < 0 then 'taken_back'
                else 'recognised' end,
           -(heller._worth(p.costs, p.used_before + x.upto) - heller._worth(p.costs, p.used_before + x.since)), x.is_before
    from pieces p cross join lateral (values (0::bigint, p.before_from, true), (p.before_from, p.before_until, false)) x (since, upto, is_before)
  )
  select jsonb_agg(x.figures order by x.currency) from (select currency, jsonb_build_object('currency', currency,
    'deferred_before', coalesce(sum(amount) filter (where is_before), 0),
    'sold', coalesce(sum(amount) filter (where not is_before and what = 'sold'), 0),
    'recognised', coalesce(-sum(amount) filter (where not is_before and what = 'recognised'), 0),
    'breakage', coalesce(-sum(amount) filter (where not is_before and what = 'breakage'), 0),
    'taken_back', coalesce(-sum(amount) filter (where not is_before and what = 'taken_back'), 0),
    'moved', coalesce(sum(amount) filter (where not is_before and what = 'moved'), 0),
    'deferred_after', coalesce(sum(amount), 0)) as figures
  from flows group by currency) x
$$;
comment on function heller._revenue(timestamptz, timestamptz, text) is
  'heller.revenue as an array: of all accounts; on a Citus cluster of one, on the server that has it.';
