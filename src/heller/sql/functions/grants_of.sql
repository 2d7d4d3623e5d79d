create or replace function heller.grants_of(p_account_id text, p_unit text default 'credit', p_all boolean default false) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  with burning as (
    select g as grant_row, g.remaining, a.settled_posted - a.posted as unsettled,
           row_number() over w as place,
           coalesce(sum(g.remaining) over (w rows between unbounded preceding and 1 preceding), 0) as before
    from heller.grants g join heller.accounts a using (account_id, unit)
    where g.account_id = p_account_id and g.unit = p_unit
    window w as (order by g.priority, g.expires_at nulls last, (g.source = 'promotion') desc, g.grant_id)
  )
  select heller._grant_result(b.grant_row) || jsonb_build_object(
           'remaining', case when (b.grant_row).expires_at <= heller._clock() then 0
                             else b.remaining - least(b.remaining, greatest(b.unsettled - b.before, 0)) end,
           'ended_at', (b.grant_row).ended_at)
  from burning b
  where p_all or ((b.remaining - least(b.remaining, greatest(b.unsettled - b.before, 0)) > 0 or (b.grant_row).seq is null)
                  and (b.grant_row).ended_at is null and ((b.grant_row).expires_at is null or (b.grant_row).expires_at > heller._clock()))
  order by b.place
$$;
comment on function heller.grants_of(text, text, boolean) is 'The grants of an account in burn-down order with what remains of each now; p_all includes used up and ended ones.';
