create or replace function heller.record_evidence(p_kind text, p_ok boolean, p_detail jsonb default '{}', p_actor text default 'cli') returns bigint
language sql security definer set search_path = pg_catalog as $$
  insert into heller.evidence (kind, ok, actor, detail) values (p_kind, p_ok, left(p_actor, 200), coalesce(p_detail, '{}')) returning evidence_id
$$;
comment on function heller.record_evidence(text, boolean, jsonb, text) is
  'Writes down that something was shown to work, or not to: where it happened, never by hand.';
