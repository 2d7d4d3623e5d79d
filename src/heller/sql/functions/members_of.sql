create or replace function heller.members_of(
  p_account_id text, p_unit text default 'credit', p_all boolean default false, p_after text default '', p_limit integer default null
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._member_result(row(m.*)::heller.members) from heller.members m
  where m.account_id = p_account_id and m.unit = p_unit and m.member_id > p_after and (p_all or m.left_at is null)
  order by m.member_id limit case when p_limit is not null then least(greatest(p_limit, 1), 1000) end
$$;
comment on function heller.members_of(text, text, boolean, text, integer) is
  'The members of a team''s account with what each has spent in the current period; p_all includes former ones. With p_limit a page of at most 1000; the next one is after the last member of this one.';
