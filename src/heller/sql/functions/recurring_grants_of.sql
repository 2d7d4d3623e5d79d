create or replace function heller.recurring_grants_of(p_account_id text, p_unit text default 'credit', p_all boolean default false) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select x.result from (
    select r.name, heller._recurring_grant_result(row(r.*)::heller.recurring_grants) as result
    from heller.recurring_grants r where r.account_id = p_account_id and r.unit = p_unit
  ) x where p_all or x.result ->> 'next_at' is not null order by x.name
$$;
comment on function heller.recurring_grants_of(text, text, boolean) is 'The recurring grants of an account by name, each with when its next period begins; p_all includes ended ones.';
