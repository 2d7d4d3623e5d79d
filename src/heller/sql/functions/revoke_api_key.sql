create or replace function heller.revoke_api_key(p_key_id text, p_actor text) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  k heller.api_keys;
begin
  perform heller._check_text('actor', p_actor, 200);
  update heller.api_keys set revoked_at = coalesce(revoked_at, clock_timestamp()), revoked_by = coalesce(revoked_by, p_actor)
  where key_id = p_key_id returning * into k;
  return case when k.key_id is null then null else heller._api_key_result(k) end;
end $$;
comment on function heller.revoke_api_key(text, text) is 'Makes an API key worthless; again changes nothing. Null when there is none of that id.';
