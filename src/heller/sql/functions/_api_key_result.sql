create or replace function heller._api_key_result(k heller.api_keys) returns jsonb
language sql stable set search_path = pg_catalog as $$
  select to_jsonb(k) - 'secret_hash' || jsonb_build_object('is_valid', k.revoked_at is null and coalesce(k.expires_at > clock_timestamp(), true))
$$;
comment on function heller._api_key_result(heller.api_keys) is 'An API key without its secret, as JSON.';
