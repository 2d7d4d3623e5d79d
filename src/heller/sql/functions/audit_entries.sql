create or replace function heller.audit_entries(
  p_before bigint default null, p_limit integer default 100, p_actor text default null, p_action text default null,
  p_target text default null, p_since timestamptz default null, p_until timestamptz default null
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog
set plan_cache_mode = force_custom_plan as $$  -- each kind of question has its own index
begin
  return query
    select to_jsonb(l) from heller.audit_log l
    where (p_before is null or entry < p_before)
      and (p_actor is null or actor = p_actor) and (p_target is null or target = p_target)
      and (p_action is null or action = p_action or action like p_action || '.%')
      and (p_since is null or at >= p_since) and (p_until is null or at < p_until)
    order by entry desc limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function heller.audit_entries(bigint, integer, text, text, text, timestamptz, timestamptz) is
  'The audit log, newest first; the next page is before the last entry of this one. action is a whole action or its noun.';
