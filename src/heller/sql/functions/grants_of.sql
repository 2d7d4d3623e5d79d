create or replace function heller.grants_of(p_account_id text, p_unit text default 'credit', p_all boolean default false) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  with now_left as materialized (
    select f.grant_id, f.remaining from heller.accounts a, lateral heller._grants_at(row(a.*)::heller.accounts, heller._clock()) f
    where a.account_id = p_account_id and a.unit = p_unit
  )
  select heller._grant_result(row(g.*)::heller.grants) || jsonb_build_object(
           'remaining', coalesce(n.remaining, 0),
           'scheduled', g.seq is null and n.grant_id is null and g.ended_at is null,
           'ended_at', coalesce(g.ended_at, case when g.expires_at <= heller._clock() then g.expires_at end))
  from heller.grants g left join now_left n using (grant_id)
  where g.account_id = p_account_id and g.unit = p_unit
    and (p_all or n.remaining > 0 or (g.seq is null and n.grant_id is null and g.ended_at is null))
  order by g.priority, g.expires_at nulls last, (g.source = 'promotion') desc, g.grant_id
$$;
comment on function heller.grants_of(text, text, boolean) is 'The grants of an account in burn-down order with what remains of each now; p_all includes used up and ended ones.';
