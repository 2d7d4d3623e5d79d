create or replace function heller.use_portal_session(p_secret_hash bytea) returns jsonb
language sql security definer set search_path = pg_catalog as $$
  update heller.portal_sessions set used_at = clock_timestamp()
  where secret_hash = p_secret_hash and used_at is null and expires_at > clock_timestamp()
  returning jsonb_build_object('user', user_id, 'path', path, 'created_by', created_by)
$$;
comment on function heller.use_portal_session(bytea) is 'Whom a portal link signs in and where to; null when it was used, has expired or never was.';
