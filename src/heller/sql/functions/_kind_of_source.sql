create or replace function heller._kind_of_source(p_source text) returns text
language sql immutable parallel safe set search_path = pg_catalog as $$
  select case p_source when 'purchase' then 'purchase' when 'migration' then 'migrate' else 'grant' end
$$;
comment on function heller._kind_of_source(text) is 'The kind of the transaction that brings (or, voided, takes back) a grant of a source.';
