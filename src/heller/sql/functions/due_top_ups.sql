create or replace function heller.due_top_ups(p_limit integer default 100) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._top_up_rule_result(r) || jsonb_build_object('available', b.available, 'spent', s.spent)
  from heller.top_up_rules r join heller.accounts a using (account_id, unit),
    lateral (select x.posted - x.held + a.overdraft_limit as available from heller._after_due(a) x) b,
    lateral (select coalesce(sum(t.amount), 0) as spent from heller.top_up_attempts t
             where t.account_id = r.account_id and t.unit = r.unit and t.outcome = 'succeeded'
               and t.attempted_at > heller._clock() - make_interval(days => r.ceiling_days)) s
  where r.paused_at is null and a.frozen_at is null and b.available < r.threshold
    and (r.attempted_at is null or r.attempted_at <= heller._clock() - make_interval(secs => r.cooldown_seconds))
    and (r.ceiling is null or s.spent < r.ceiling)
  order by r.attempted_at nulls first, r.account_id limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.due_top_ups(integer) is
  'Rules whose account is below its threshold now: not paused, cooled down, below the ceiling. Reads only: whoever acts says what became of it with record_top_up.';
