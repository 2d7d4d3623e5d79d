create or replace function heller._finish(p_account_id text, p_unit text) returns heller.accounts
language plpgsql set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();
  a heller.accounts;
begin
  perform heller._reset_due(p_account_id, p_unit);
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit;
  if a.frozen_at is null and exists (select from heller.grants where account_id = p_account_id and unit = p_unit and remaining > 0
                                                                and ended_at is not null and expires_at is not null) then
    a := heller._forfeit(a, v_now);
    perform heller._end_expired(a, v_now);
  end if;
  return a;
end $$;
comment on function heller._finish(text, text) is
  'The end of a verb that changed the burn-down order or freed held credits: what outlived its expiry only for a hold is forfeited now.';
