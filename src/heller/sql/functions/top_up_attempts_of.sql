create or replace function heller.top_up_attempts_of(
  p_account_id text, p_unit text default 'credit', p_limit integer default 100, p_before bigint default null
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select jsonb_build_object('attempt', t.attempt, 'attempted_at', t.attempted_at, 'outcome', t.outcome, 'amount', t.amount, 'detail', t.detail)
  from heller.top_up_attempts t where t.account_id = p_account_id and t.unit = p_unit and (p_before is null or t.attempt < p_before)
  order by t.attempt desc limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.top_up_attempts_of(text, text, integer, bigint) is
  'What became of the automatic top-ups of an account, newest first, at most 1000 a call; the next page is before the last attempt of this one.';
