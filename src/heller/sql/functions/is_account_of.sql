create or replace function heller.is_account_of(p_account_id text, p_user_id text) returns boolean
language sql stable security definer set search_path = pg_catalog as $$
  select exists (select from heller.accounts where account_id = p_account_id and user_id = p_user_id)
      or exists (select from heller.members where account_id = p_account_id and member_id = p_user_id and left_at is null)
$$;
comment on function heller.is_account_of(text, text) is 'Whether an account belongs to a user, or is that of a team the user is a member of.';
