create or replace function heller._books_result(f heller.book_figures) returns jsonb
language sql immutable parallel safe set search_path = pg_catalog as $$
  select (f).figures || jsonb_build_object('taken_at', (f).taken_at, 'milliseconds', (f).milliseconds)
$$;
comment on function heller._books_result(heller.book_figures) is 'Kept figures with when they were taken and how long that took.';
