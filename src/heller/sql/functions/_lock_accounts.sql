create or replace function heller._lock_accounts(p_accounts text[]) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  v_account text;
begin
  if not heller._is_spread() then
    perform from heller.accounts where account_id = any (p_accounts) order by account_id, unit for no key update;
    return;
  end if;
  for v_account in select distinct x.id collate "C" from unnest(p_accounts) x (id) order by 1 loop  -- rows of one shard at a time can be locked
    perform from heller.accounts where account_id = v_account order by unit for no key update;
  end loop;
end $$;
comment on function heller._lock_accounts(text[]) is
  'Locks all units of accounts to the end of the transaction, in id order, as everybody does, so that no two wait for each other.';
