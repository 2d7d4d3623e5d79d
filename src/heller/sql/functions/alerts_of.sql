create or replace function heller.alerts_of(
  p_account_id text, p_unit text default 'credit', p_after bigint default null, p_limit integer default null
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._alert_result(row(l.*)::heller.alerts) from heller.alerts l
  where l.account_id = p_account_id and l.unit = p_unit and (p_after is null or l.threshold > p_after)
  order by l.threshold limit case when p_limit is not null then least(greatest(p_limit, 1), 1000) end
$$;
comment on function heller.alerts_of(text, text, bigint, integer) is
  'The alerts of an account. With p_limit a page of at most 1000; the next one is after the last threshold of this one.';
