create or replace function heller.balance(p_account_id text, p_unit text default 'credit') returns jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  a heller.accounts;
begin
  select * into a from heller.accounts where account_id = p_account_id and unit = p_unit;
  if not found then
    perform heller._fail('HL003', format('there is no account %s with unit %s', p_account_id, p_unit), jsonb_build_object('account', p_account_id));
  end if;
  return heller._account_result(a);
end $$;
comment on function heller.balance(text, text) is
  'posted, held and available at this instant: what has expired by now is not counted, even when no worker has run.';
