create or replace function heller._lock(p_account_id text, p_unit text, p_even_frozen boolean default false) returns heller.accounts
language plpgsql set search_path = pg_catalog as $$
declare
  a heller.accounts;
begin
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit for no key update;
  if not found then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, p_unit),
                         jsonb_build_object('account', p_account_id));
  end if;
  if a.frozen_at is not null and not p_even_frozen then
    perform heller._fail('HL005', format('account %s is frozen: %s', p_account_id, a.frozen_reason),
                         jsonb_build_object('account', p_account_id, 'reason', a.frozen_reason));
  end if;
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
