create or replace function heller._worth(g heller.grants, p_used numeric) returns numeric
language sql immutable parallel safe set search_path = pg_catalog as $$
  select div((g).cost::numeric * p_used, (g).amount::numeric)
$$;
comment on function heller._worth(heller.grants, numeric) is
  'What the first p_used credits of a grant cost, in whole minor units: rounded down over the sum, so that all parts together are the cost.';
