create or replace function heller._reversible(a heller.accounts, o heller.transactions, p_seq bigint) returns bigint
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_left bigint;
begin
  if o.seq is null then
    perform heller._fail('HL006', format('account %s has no transaction %s', a.account_id, p_seq), jsonb_build_object('account', a.account_id, 'seq', p_seq));
  elsif o.kind = 'transfer' and o.related_seq is not null then
    perform heller._fail('HL001', format('transaction %s is a transfer sent back: transfer the credits again', p_seq), '{"argument": "seq"}');
  elsif o.kind = 'transfer' and o.delta > 0 and o.counterparty is not null then
    perform heller._fail('HL001', format('transaction %s came from account %s: reverse the transfer there', p_seq, o.counterparty), '{"argument": "seq"}');
  elsif o.kind in ('purchase', 'grant') and exists (select from heller.payments p where p.payment_key = o.payment_key and p.provider = 'stripe') then
    perform heller._fail('HL001', format('transaction %s belongs to payment %s: refund it at Stripe and its credits follow', p_seq, o.payment_key),
                         '{"argument": "seq"}');
  end if;
  v_left := abs(o.delta) - (select coalesce(sum(abs(t.delta)), 0) from heller.transactions t
                            where t.account_id = a.account_id and t.unit = a.unit and t.related_seq = o.seq and t.request ->> 'verb' = 'reverse');
  if o.delta > 0 then  -- what was voided, has expired or was clawed back of it is gone already
    v_left := v_left - (select coalesce(sum(d.amount), 0) from heller.grants g
      join heller.draws d using (account_id, unit, grant_id) join heller.transactions t on t.account_id = d.account_id and t.unit = d.unit and t.seq = d.last_seq
      where g.account_id = a.account_id and g.unit = a.unit and g.seq = o.seq and d.last_seq <> o.seq
        and exists (select from heller.transactions f  -- the forfeit or void, or what was put back of one
                    where f.account_id = t.account_id and f.unit = t.unit and f.seq = case when t.delta < 0 then t.seq else t.related_seq end
                      and (f.kind = 'expire' and f.request ->> 'verb' is distinct from 'reverse' or f.request ->> 'verb' = 'void')));
    if o.payment_key is not null and o.kind in ('purchase', 'grant') then
      v_left := v_left + (select coalesce(sum(t.delta), 0) from heller.transactions t
        where t.account_id = a.account_id and t.unit = a.unit and t.payment_key = o.payment_key and t.kind in ('clawback', 'reinstate'));
    end if;
  end if;
  if v_left <= 0 then
    perform heller._fail('HL010', format('nothing of transaction %s is left to undo', o.seq),
                         jsonb_build_object('account', a.account_id, 'requested', abs(o.delta), 'left', 0));
  end if;
  return v_left;
end $$;
comment on function heller._reversible(heller.accounts, heller.transactions, bigint) is
  'How many credits of a transaction reverse would undo now; refuses what it cannot.';
