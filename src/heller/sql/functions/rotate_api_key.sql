create or replace function heller.rotate_api_key(
  p_key_id text, p_new_key_id text, p_secret_hash bytea, p_actor text, p_overlap_seconds integer default 86400, p_expires_at timestamptz default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  k heller.api_keys;
  v_new jsonb;
begin
  if p_overlap_seconds is null or p_overlap_seconds < 0 or p_overlap_seconds > 7776000 then
    perform heller._fail('HL001', 'the overlap is 0 to 90 days (7776000 seconds)', '{"argument": "overlap_seconds"}');
  end if;
  select * into k from heller.api_keys where key_id = p_key_id for update;
  if not found then
    return null;
  elsif k.revoked_at is not null or k.expires_at <= clock_timestamp() then
    perform heller._fail('HL001', format('key %s has ended; make a new one', p_key_id), '{"argument": "key"}');
  elsif k.expires_at is not null and p_expires_at is null then  -- neither for ever nor the same day again is what anybody meant
    perform heller._fail('HL001', format('key %s ends by itself; say when the one that follows it does', p_key_id), '{"argument": "expires_at"}');
  end if;
  v_new := heller.create_api_key(p_key_id => p_new_key_id, p_name => k.name, p_secret_hash => p_secret_hash, p_role => k.role, p_scopes => k.scopes,
                                 p_actor => p_actor, p_expires_at => p_expires_at, p_rate_per_minute => k.rate_per_minute);
  update heller.api_keys
  set expires_at = least(coalesce(k.expires_at, 'infinity'), clock_timestamp() + make_interval(secs => p_overlap_seconds))
  where key_id = p_key_id returning * into k;
  return jsonb_build_object('api_key', v_new, 'followed', heller._api_key_result(k));
end $$;
comment on function heller.rotate_api_key(text, text, bytea, text, integer, timestamptz) is
  'Makes a key with the name, role, scopes and rate of another, which ends after the overlap (0: at once, at most 90 days). A key that ends by itself is followed by one whose end is said. Null when there is none of that id.';
