create or replace function heller.add_identity(p_user_id text, p_kind text, p_name text) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_name text := case p_kind when 'email' then lower(trim(p_name)) else p_name end;
  v_user text;
begin
  perform heller._check_text('user', p_user_id, 200);
  perform heller._check_text('kind', p_kind, 40);
  perform heller._check_text('name', v_name, 320);
  if p_kind !~ '^[a-z][a-z0-9_]{0,39}$' then
    perform heller._fail('HL001', format('kind %s is not of the form a-z, 0-9 and _', p_kind), '{"argument": "kind"}');
  end if;
  insert into heller.users (id) values (p_user_id) on conflict do nothing;
  insert into heller.identities (kind, name, user_id) values (p_kind, v_name, p_user_id) on conflict do nothing;
  select user_id into v_user from heller.identities where kind = p_kind and name = v_name;
  if v_user <> p_user_id then
    perform heller._fail('HL011', format('%s %s belongs to user %s', p_kind, v_name, v_user), jsonb_build_object('name', v_name, 'user', v_user));
  end if;
  return jsonb_build_object('user', p_user_id, 'kind', p_kind, 'name', v_name);
end $$;
comment on function heller.add_identity(text, text, text) is
  'Makes a name (e-mail, auth0 subject, Stripe customer, ...) known as a user''s. A name identifies at most one user.';
