create or replace function heller._grants_known(a heller.accounts) returns setof heller.grants
language sql stable set search_path = pg_catalog as $$
  select g.* from heller.grants g where g.account_id = (a).account_id and g.unit = (a).unit
  union all
  select d.* from heller._recurring_due(a, heller._clock()) d
$$;
comment on function heller._grants_known(heller.accounts) is
  'The grants of an account as a reader sees them: those of recurring periods that have begun included, though they are not written yet.';
