create or replace function heller._after_due(a heller.accounts, out posted bigint, out held bigint)
language sql stable set search_path = pg_catalog as $$
  select x.posted, x.held from heller._as_of(a, heller._clock()) x
$$;
comment on function heller._after_due(heller.accounts) is
  'posted and held as they will be once what is due now is done. Reads only; _run_due does it.';
