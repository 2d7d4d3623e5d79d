create or replace function heller.usage_figures(p_from timestamptz, p_until timestamptz) returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._check_period(p_from, p_until);
  with period as (
    select t.account_id, t.unit, t.kind, t.delta, t.reason from heller.transactions t
    where t.recorded_at >= p_from and t.recorded_at < p_until and t.source_system is null
  ), firsts as (
    select t.account_id, date_trunc('month', min(t.effective_at), 'UTC') as cohort from heller.transactions t
    where t.kind = 'purchase' and t.delta > 0 group by t.account_id
  ), active as (
    select distinct t.account_id, date_trunc('month', t.effective_at, 'UTC') as month from heller.transactions t
    where t.kind = 'spend' and t.account_id in (select account_id from firsts)
  ), cohorts as (
    select f.cohort, count(*) as buyers from firsts f where f.cohort >= p_from - interval '1 year' and f.cohort < p_until group by f.cohort
  ), kept as (
    select f.cohort, a.month, count(*) as active from firsts f join active a using (account_id)
    where f.cohort >= p_from - interval '1 year' and f.cohort < p_until and a.month >= f.cohort group by f.cohort, a.month
  )
  select jsonb_build_object(
    'from', p_from, 'until', p_until,
    'purchases', (select count(*) from period where kind = 'purchase' and delta > 0),
    'active_buyers', (select count(distinct account_id) from period where kind = 'purchase' and delta > 0),
    'active_spenders', (select count(distinct account_id) from period where kind = 'spend'),
    'accounts', (select count(*) from heller.accounts where opened_at < p_until),
    'orders', (select coalesce(jsonb_object_agg(state, n), '{}') from (select state, count(*) as n from heller.orders
               where placed_at >= p_from and placed_at < p_until group by state) x),
    'credits', (select coalesce(jsonb_object_agg(unit, figures), '{}') from (select unit, jsonb_build_object(
                  'sold', coalesce(sum(delta) filter (where kind = 'purchase' and delta > 0), 0),
                  'granted', coalesce(sum(delta) filter (where kind = 'grant' and delta > 0), 0),
                  'spent', coalesce(-sum(delta) filter (where kind = 'spend'), 0),
                  'refunded', coalesce(sum(delta) filter (where kind = 'refund'), 0),
                  'taken_back', coalesce(-sum(delta) filter (where kind in ('clawback', 'reinstate')), 0),
                  'expired', coalesce(-sum(delta) filter (where kind = 'expire'), 0)) as figures from period group by unit) x),
    'revenue', (select coalesce(jsonb_agg(r), '[]') from heller.revenue(p_from, p_until) r),
    'features', (select coalesce(jsonb_agg(jsonb_build_object('feature', reason, 'unit', unit, 'spends', n, 'credits', spent, 'accounts', accounts)
                                           order by spent desc, reason), '[]')
                 from (select reason, unit, count(*) as n, -sum(delta) as spent, count(distinct account_id) as accounts
                       from period where kind = 'spend' group by reason, unit order by 4 desc, 1 limit 50) x),
    'cohorts', (select coalesce(jsonb_agg(jsonb_build_object('cohort', to_char(c.cohort at time zone 'UTC', 'YYYY-MM'), 'buyers', c.buyers, 'active',
                  (select coalesce(jsonb_object_agg(to_char(k.month at time zone 'UTC', 'YYYY-MM'), k.active), '{}') from kept k where k.cohort = c.cohort))
                  order by c.cohort), '[]') from cohorts c))
$$;
comment on function heller.usage_figures(timestamptz, timestamptz) is
  'How credits are bought and used in a period: purchases, buyers, orders by state, credits by kind, revenue, the features they are spent on, and how many buyers of each month still spend.';
