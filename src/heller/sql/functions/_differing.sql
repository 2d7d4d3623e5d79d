create or replace function heller._differing(p_then jsonb, p_now jsonb) returns text
language sql immutable parallel safe set search_path = pg_catalog as $$
  select coalesce(a.key, b.key)
  from jsonb_each(jsonb_strip_nulls(p_then)) a full join jsonb_each(jsonb_strip_nulls(p_now)) b on a.key = b.key
  where a.value is distinct from b.value
  order by array_position(array['verb', 'unit', 'amount'], coalesce(a.key, b.key)) nulls last, 1
  limit 1
$$;
comment on function heller._differing(jsonb, jsonb) is 'The name of the first field in which two requests differ, or null.';
