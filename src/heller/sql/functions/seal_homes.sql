create or replace function heller.seal_homes(p_accounts text[], p_system text default 'legacy') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_id text;
  a heller.accounts;
  v_results jsonb := '[]';
  r jsonb;
begin
  perform heller._refuse_spread('users are returned');
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'seal_homes must run at read committed' using errcode = 'HL001';
  elsif cardinality(p_accounts) > 1000 then
    perform heller._fail('HL012', 'at most 1000 accounts in one call', '{"limit": "accounts"}');
  end if;
  foreach v_id in array (select array_agg(x order by x collate "C") from unnest(p_accounts) x) loop
    select * into a from heller.accounts where account_id = v_id and unit = 'credit' for update skip locked;
    r := case
      when a.account_id is null and exists (select from heller.accounts where account_id = v_id and unit = 'credit') then '{"outcome": "busy"}'
      when a.account_id is null then '{"outcome": "unknown"}'
      when a.epoch is null then '{"outcome": "own"}'
      when a.epoch % 2 = 0 then '{"outcome": "away"}'
      when a.frozen_at is not null then jsonb_build_object('outcome', 'frozen', 'reason', a.frozen_reason)
      else heller._seal_home(a, p_system) end;
    v_results := v_results || (r || jsonb_build_object('account', v_id));
  end loop;
  return v_results;
end $$;
comment on function heller.seal_homes(text[], text) is
  'Seals accounts for their return: from this commit on they refuse changes here, and a statement has everything the legacy database has not seen. Accounts with open holds are draining: no new holds, sealed at a later call.';
