create or replace function heller.identities_of(p_user_id text) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select jsonb_build_object('kind', kind, 'name', name) from heller.identities where user_id = p_user_id order by kind, name
$$;
comment on function heller.identities_of(text) is 'Every name a user is known by.';
