create or replace function heller.evidence_of(p_kind text, p_limit integer default 1) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(e) from heller.evidence e where e.kind = p_kind order by e.evidence_id desc limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.evidence_of(text, integer) is 'What was shown of a kind, newest first.';
