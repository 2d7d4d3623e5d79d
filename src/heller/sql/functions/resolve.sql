create or replace function heller.resolve(p_name text) returns setof text
language sql stable security definer set search_path = pg_catalog as $$
  select id from heller.users where id = p_name
  union
  select user_id from heller.identities where name = p_name
  union
  select user_id from heller.identities where kind = 'email' and name = lower(trim(p_name))
$$;
comment on function heller.resolve(text) is 'The users known by a name: by id or by any identity. More than one row means the name is ambiguous.';
