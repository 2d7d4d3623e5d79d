create or replace function heller.api_keys_list(p_all boolean default false) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._api_key_result(k) from heller.api_keys k
  where p_all or (k.revoked_at is null and coalesce(k.expires_at > clock_timestamp(), true))
  order by k.created_at desc, k.key_id limit 1000
$$;
comment on function heller.api_keys_list(boolean) is 'The API keys that are valid, or all, newest first.';
