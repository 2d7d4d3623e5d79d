create or replace function heller.due_top_ups(p_limit integer default 100) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select x.rule || jsonb_build_object('available', x.available, 'spent', x.spent)
  from (
    select heller._top_up_rule_result(row(r.*)::heller.top_up_rules) as rule, r.account_id, r.attempted_at, r.threshold, r.ceiling,
           (heller._account_result(row(a.*)::heller.accounts) ->> 'available')::bigint as available,
           (select coalesce(sum(t.amount), 0) from heller.top_up_attempts t
            where t.account_id = r.account_id and t.unit = r.unit and t.outcome = 'succeeded'
              and t.attempted_at > heller._clock() - make_interval(days => r.ceiling_days)) as spent
    from heller.top_up_rules r join heller.accounts a using (account_id, unit)
    where r.paused_at is null and a.frozen_at is null and coalesce(a.epoch % 2, 1) = 1 and a.draining_since is null
      and (r.attempted_at is null or r.attempted_at <= heller._clock() - make_interval(secs => r.cooldown_seconds))) x
  where x.available < x.threshold and (x.ceiling is null or x.spent < x.ceiling)
  order by x.attempted_at nulls first, x.account_id limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.due_top_ups(integer) is
  'Rules whose account is below its threshold now: not paused, cooled down, below the ceiling, and at home here. Reads only: whoever acts says what became of it with record_top_up.';
