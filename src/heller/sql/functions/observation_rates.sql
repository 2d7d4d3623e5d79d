create or replace function heller.observation_rates(p_since timestamptz, p_slow_milliseconds integer, p_steps integer default 60, p_rollout text default 'home')
returns table (at timestamptz, arm text, outcomes bigint, failed bigint, slow bigint, webhooks bigint, webhooks_failed bigint)
language sql stable security definer set search_path = pg_catalog as $$
  select date_bin(w.width, o.at, p_since), o.arm, count(*) filter (where o.what <> 'webhook'), count(*) filter (where o.failed and o.what <> 'webhook'),
         count(*) filter (where o.milliseconds > p_slow_milliseconds and o.what <> 'webhook'), count(*) filter (where o.what = 'webhook'),
         count(*) filter (where o.failed and o.what = 'webhook')
  from heller.observations o, (select greatest((clock_timestamp() - p_since) / least(greatest(p_steps, 1), 500), interval '1 second') as width) w
  where o.rollout = p_rollout and o.at >= p_since and o.counts
    and not exists (select from heller.accounts a where a.account_id = o.account_id and a.unit = 'credit' and a.epoch is null)
  group by 1, 2 order by 1, 2
$$;
comment on function heller.observation_rates(timestamptz, integer, integer, text) is
  'Outcomes since an instant in so many steps of time and per arm: how many, how many failed, how many took longer than the limit. Without accounts that were opened in heller, which no rollout moves.';
