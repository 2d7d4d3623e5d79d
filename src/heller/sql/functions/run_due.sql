create or replace function heller.run_due(p_after text default '', p_limit integer default 200) returns text
language plpgsql security definer set search_path = pg_catalog as $$
declare
  r record;
  a heller.accounts;
  v_last text;
begin
  for r in
    select account_id, unit from heller.accounts
    where next_due_at <= heller._clock() and frozen_at is null and account_id > p_after
    order by account_id, unit limit greatest(p_limit, 1)
  loop
    v_last := r.account_id;
    select * into a from heller.accounts
    where account_id = r.account_id and unit = r.unit and next_due_at <= heller._clock() and frozen_at is null for no key update skip locked;
    if found then perform heller._run_due(a); end if;
  end loop;
  return v_last;
end $$;
comment on function heller.run_due(text, integer) is
  'Expires the holds and grants that are due and lets scheduled grants arrive, a page of accounts at a time; answers where the next page starts, null after the last. The verbs do the same by themselves: this only keeps idle accounts tidy.';
