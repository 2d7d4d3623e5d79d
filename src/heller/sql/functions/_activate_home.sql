create or replace function heller._activate_home(s jsonb, p_system text) returns jsonb
language plpgsql set search_path = pg_catalog as $$
declare
  v_id text := s ->> 'account';
  v_epoch bigint := (s ->> 'epoch')::bigint;
  a heller.accounts;
  x jsonb;
  v_target bigint;
  v_rows bigint;
  v_sum bigint;
begin
  insert into heller.users (id) values (v_id) on conflict do nothing;
  insert into heller.accounts (account_id, unit, user_id, epoch) values (v_id, 'credit', v_id, 0) on conflict do nothing;
  select * into a from heller.accounts where account_id = v_id and unit = 'credit' for no key update;
  if a.epoch is null then
    if exists (select from heller.transactions where account_id = v_id and unit = 'credit' and source_system is distinct from p_system) then
      return jsonb_build_object('outcome', 'quarantined', 'reason', 'the account has transactions of heller''s own: credits would be mixed');
    end if;
    a.epoch := 0;
  end if;
  if a.epoch = v_epoch then
    return jsonb_build_object('outcome', 'known', 'posted', a.posted);
  elsif a.epoch <> v_epoch - 1 or v_epoch % 2 <> 1 then
    return jsonb_build_object('outcome', 'stale', 'reason', format('the statement is of epoch %s and heller is at epoch %s', v_epoch, a.epoch));
  end if;
  v_target := (s ->> 'balance')::bigint + heller._legacy_offset(a, p_system, (s ->> 'elsewhere')::bigint);
  for x in select * from jsonb_array_elements(s -> 'payments') loop
    perform heller._carry_in_payment(v_id, x, p_system);
  end loop;
  for x in select * from jsonb_array_elements(s -> 'entries') loop
    perform heller._carry_in(v_id, x, p_system);
  end loop;
  insert into heller.migration_outcomes (source_system, source_table, source_id, outcome, reason, account_id, into_table, into_id, run_id)
  select p_system, m ->> 'table', m ->> 'id', 'merged', 'the same business event', v_id, m ->> 'into_table', m ->> 'into_id',
         coalesce((select max(run_id) from heller.migration_runs), 0)
  from jsonb_array_elements(coalesce(s -> 'merged', '[]')) m on conflict do nothing;
  select * into a from heller.accounts where account_id = v_id and unit = 'credit';
  if a.posted <> v_target then
    a := heller._carry_in(v_id, jsonb_build_object(
      'delta', v_target - a.posted, 'kind', 'migrate', 'source_table', 'opening', 'source_id', v_id || '@' || v_epoch, 'at', s -> 'sealed_at',
      'reason', case when a.last_seq > 0 then 'Change of the old balance that its records do not explain'
                     when v_target > 0 then 'Opening balance: credits that no record of the old system explains'
                     else 'Opening difference: credits that the records of the old system bring but its balance no longer had' end), p_system);
  end if;
  select count(*), coalesce(sum(delta), 0) into v_rows, v_sum from heller.transactions
  where account_id = v_id and unit = 'credit' and source_system = p_system
    and source_table in (select jsonb_array_elements_text(s -> 'tables'));
  if v_rows <> (s ->> 'rows')::bigint or v_sum <> (s ->> 'sum')::bigint then
    raise exception 'the legacy history has % rows with % credits, and % rows with % credits arrived', s ->> 'rows', s ->> 'sum', v_rows, v_sum
      using errcode = 'HL015';
  end if;
  select sum(delta) into v_sum from heller.transactions where account_id = v_id and unit = 'credit';
  if coalesce(v_sum, 0) <> v_target or a.posted <> v_target then
    raise exception 'the account should hold % credits and its transactions sum to %', v_target, v_sum using errcode = 'HL015';
  end if;
  update heller.accounts set epoch = v_epoch, draining_since = null where account_id = v_id and unit = 'credit';
  perform heller._pass_periods(a, heller._clock());  -- what began while the other system owned the account was that one's to give
  perform heller._reset_due(v_id, 'credit');
  insert into heller.receipts (account_id, epoch, outcome, balance, rows, sum, digest)
  values (v_id, v_epoch, 'activated', (s ->> 'balance')::bigint, (s ->> 'rows')::bigint, (s ->> 'sum')::bigint, s ->> 'digest');
  insert into heller.homes as h (account_id, source_system, legacy_balance, our_balance, seen_seq)
  values (v_id, p_system, (s ->> 'balance')::bigint, v_target, a.last_seq)
  on conflict (account_id) do update set
    source_system = p_system, legacy_balance = excluded.legacy_balance, our_balance = excluded.our_balance, seen_seq = excluded.seen_seq,
    quarantined_at = null, quarantine_reason = null, returned_at = null, changed_at = excluded.changed_at;
  return jsonb_build_object('outcome', 'moved', 'posted', v_target, 'entries', jsonb_array_length(s -> 'entries'));
end $$;
comment on function heller._activate_home(jsonb, text) is
  'Brings one account home: imports what its sealed statement has and heller has not, verifies, takes ownership and writes the receipt. Repeating it changes nothing.';
