create or replace function heller._reset_due(p_account_id text, p_unit text) returns void
language plpgsql set search_path = pg_catalog as $$
begin
  update heller.accounts set next_due_at = least(
    (select min(expires_at) from heller.grants
     where account_id = p_account_id and unit = p_unit and remaining > 0 and seq is not null and ended_at is null),
    (select min(available_at) from heller.grants where account_id = p_account_id and unit = p_unit and seq is null and ended_at is null),
    (select min(expires_at) from heller.holds where account_id = p_account_id and unit = p_unit and state = 'open'),
    (select min(next_at) from heller.recurring_grants
     where account_id = p_account_id and unit = p_unit and next_at < coalesce(ends_at, 'infinity')))
  where account_id = p_account_id and unit = p_unit;
end $$;
comment on function heller._reset_due(text, text) is 'Finds the next instant at which something of this account is due.';
