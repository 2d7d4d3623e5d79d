create or replace function heller._lock(p_account_id text, p_unit text, p_even_frozen boolean default false) returns heller.accounts
language plpgsql set search_path = pg_catalog as $$
declare
  a heller.accounts;
begin
  -- all units of the account: an idempotency key is the account's, whatever the unit
  perform from heller.accounts where account_id = p_account_id order by unit for no key update;
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit;
  if not found then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, p_unit),
                         jsonb_build_object('account', p_account_id));
  end if;
  if not p_even_frozen then perform heller._refuse_frozen(a); end if;
  if a.epoch % 2 = 0 then
    perform heller._fail('HL016', r ->> 'message', r -> 'detail') from heller._away(a) r;
  end if;
  if a.next_due_at <= heller._clock() and a.frozen_at is null then
    perform heller._run_due(a);
    select * into a from heller.accounts where account_id = p_account_id and unit = p_unit;
  end if;
  return a;
end $$;
comment on function heller._lock(text, text, boolean) is
  'Locks an account to the end of the transaction, does what is due, returns the row. Refuses a frozen account unless told.';
