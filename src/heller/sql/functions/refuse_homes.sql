create or replace function heller.refuse_homes(p_statements jsonb, p_system text default 'legacy') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  s jsonb;
  v_results jsonb := '[]';
  v_done boolean;
begin
  perform heller._refuse_spread('users arrive');
  for s in select * from jsonb_array_elements(p_statements) v order by v ->> 'account' collate "C" loop
    insert into heller.accounts (account_id, unit, epoch) values (s ->> 'account', 'credit', 0) on conflict do nothing;
    update heller.accounts set epoch = (s ->> 'epoch')::bigint + 1
    where account_id = s ->> 'account' and unit = 'credit' and coalesce(epoch, 0) = (s ->> 'epoch')::bigint - 1 and (s ->> 'epoch')::bigint % 2 = 1;
    v_done := found;
    if v_done then
      insert into heller.statements (account_id, epoch, balance, transactions, sum, digest, body)
      select s ->> 'account', (s ->> 'epoch')::bigint + 1, (s ->> 'balance')::bigint, 0, 0, encode(sha256(b::text::bytea), 'hex'), b
      from (values (jsonb_build_object('transactions', '[]'::jsonb, 'payments', '[]'::jsonb, 'refused', true))) v (b);
      insert into heller.receipts (account_id, epoch, outcome, balance, rows, sum, digest)
      values (s ->> 'account', (s ->> 'epoch')::bigint, 'refused', (s ->> 'balance')::bigint, 0, 0, s ->> 'digest');
      insert into heller.homes as h (account_id, source_system) values (s ->> 'account', p_system)
      on conflict (account_id) do update set returned_at = null, changed_at = excluded.changed_at;
    end if;
    v_results := v_results || jsonb_build_object('account', s ->> 'account', 'epoch', (s ->> 'epoch')::bigint, 'outcome', case when v_done then 'refused' else 'stale' end);
  end loop;
  return v_results;
end $$;
comment on function heller.refuse_homes(jsonb, text) is
  'Gives sealed users back unchanged. It is the same compare-and-set that would take them over, so exactly one of the two happens.';
