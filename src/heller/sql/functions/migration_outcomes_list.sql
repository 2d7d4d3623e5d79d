create or replace function heller.migration_outcomes_list(
  p_outcome text default 'quarantined', p_source_table text default null, p_after jsonb default null, p_limit integer default 100
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(o) from heller.migration_outcomes o
  where o.outcome = p_outcome and (p_source_table is null or o.source_table = p_source_table)
    and (p_after is null or (o.source_system, o.source_table, o.source_id) > (p_after ->> 0, p_after ->> 1, p_after ->> 2))
  order by o.source_system, o.source_table, o.source_id limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.migration_outcomes_list(text, text, jsonb, integer) is
  'Source rows that are no row of their own here, quarantined or merged, with the reason; the next page starts after [system, table, id] of the last.';
