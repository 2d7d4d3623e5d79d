create or replace function heller.use_api_key(p_key_id text, p_secret_hash bytea) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  k heller.api_keys;
begin
  select * into k from heller.api_keys
  where key_id = p_key_id and secret_hash = p_secret_hash and revoked_at is null and coalesce(expires_at > clock_timestamp(), true);
  if not found then
    return null;
  end if;
  if coalesce(k.last_used_at < clock_timestamp() - interval '1 minute', true) then
    update heller.api_keys set last_used_at = clock_timestamp() where key_id = p_key_id;
  end if;
  return heller._api_key_result(k);
end $$;
comment on function heller.use_api_key(text, bytea) is 'The API key of that id and secret if it is valid now, else null; notes to the minute that it was used.';
