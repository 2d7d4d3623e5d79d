create or replace function heller.note_audit(
  p_actor text, p_via text, p_action text, p_target text, p_detail jsonb default '{}', p_request_id text default null
) returns bigint
language sql security definer set search_path = pg_catalog as $$
  insert into heller.audit_log (actor, via, action, target, detail, request_id)
  values (p_actor, p_via, p_action, p_target, coalesce(p_detail, '{}'), p_request_id) returning entry
$$;
comment on function heller.note_audit(text, text, text, text, jsonb, text) is
  'Writes into the audit log, in the transaction of what was done; the number of the entry.';
