create or replace function heller.create_api_key(
  p_key_id text, p_name text, p_secret_hash bytea, p_role text, p_scopes text[], p_actor text,
  p_expires_at timestamptz default null, p_rate_per_minute integer default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  k heller.api_keys;
begin
  perform heller._check_text('key_id', p_key_id, 40);
  perform heller._check_text('name', p_name, 200);
  perform heller._check_text('actor', p_actor, 200);
  if p_expires_at <= clock_timestamp() then
    perform heller._fail('HL001', 'expires_at is not ahead', '{"argument": "expires_at"}');
  elsif p_role is null or p_role not in ('support', 'operator', 'admin') then
    perform heller._fail('HL001', format('role %s is not support, operator or admin', p_role), '{"argument": "role"}');
  elsif coalesce(cardinality(p_scopes), 0) = 0 then
    perform heller._fail('HL001', 'a key without scopes opens nothing', '{"argument": "scopes"}');
  elsif p_rate_per_minute <= 0 then
    perform heller._fail('HL001', 'rate_per_minute is not positive', '{"argument": "rate_per_minute"}');
  end if;
  insert into heller.api_keys (key_id, name, secret_hash, role, scopes, rate_per_minute, created_by, expires_at)
  values (p_key_id, p_name, p_secret_hash, p_role, p_scopes, p_rate_per_minute, p_actor, p_expires_at) returning * into k;
  return heller._api_key_result(k);
end $$;
comment on function heller.create_api_key(text, text, bytea, text, text[], text, timestamptz, integer) is
  'Makes an API key; of the secret only its SHA-256 comes here.';
