create or replace function heller.open_portal_session(
  p_secret_hash bytea, p_user_id text, p_actor text, p_path text default '/portal', p_seconds integer default 300
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_expires timestamptz := clock_timestamp() + make_interval(secs => p_seconds);
begin
  perform heller._check_text('user', p_user_id, 200);
  if p_seconds not between 1 and 3600 then
    perform heller._fail('HL001', 'seconds is not between 1 and 3600', '{"argument": "seconds"}');
  elsif not exists (select 1 from heller.accounts where user_id = p_user_id) then
    perform heller._fail('HL003', format('user %s has no account', p_user_id), jsonb_build_object('account', p_user_id));
  end if;
  delete from heller.portal_sessions where expires_at < clock_timestamp() - interval '1 day';
  insert into heller.portal_sessions (secret_hash, user_id, path, created_by, expires_at)
  values (p_secret_hash, p_user_id, p_path, p_actor, v_expires);
  return jsonb_build_object('user', p_user_id, 'expires_at', v_expires);
end $$;
comment on function heller.open_portal_session(bytea, text, text, text, integer) is
  'A link that signs a user into the portal once, within so many seconds; of its secret only the SHA-256 comes here.';
