create or replace function heller.user_of_subject(p_subject text, p_email text default null) returns text
language sql stable security definer set search_path = pg_catalog as $$
  select coalesce(
    (select user_id from heller.identities where kind = 'auth0' and name = p_subject),
    (select user_id from heller.identities where kind = 'email' and name = lower(trim(p_email))))
$$;
comment on function heller.user_of_subject(text, text) is
  'The user of a sign-in: by the provider''s subject (identity auth0), else by an e-mail that the provider has verified.';
