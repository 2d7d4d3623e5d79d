create or replace function heller._arrive(a heller.accounts, p_grant_id bigint) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  g heller.grants;
  t heller.transactions;
  v_debt bigint;
begin
  a := heller._settle(a);
  select * into g from heller.grants where account_id = a.account_id and unit = a.unit and grant_id = p_grant_id;
  t := heller._post(a, g.amount, heller._kind_of_source(g.source), g.reason, g.actor, g.metadata, p_key => g.idempotency_key,
                    p_request => heller._grant_options(g.source, g.priority, g.available_at, g.expires_at, g.cost, g.currency, g.payment_key),
                    p_payment_key => g.payment_key, p_effective_at => g.available_at, p_settled => true);
  v_debt := least(a.uncovered, g.amount);
  update heller.grants set seq = t.seq, remaining = amount - v_debt
  where account_id = a.account_id and unit = a.unit and grant_id = p_grant_id;
  if v_debt > 0 then
    update heller.accounts set uncovered = uncovered - v_debt where account_id = a.account_id and unit = a.unit;
    insert into heller.draws (account_id, unit, last_seq, grant_id, first_seq, upper_balance, lower_balance, amount)
    values (a.account_id, a.unit, t.seq, p_grant_id, t.seq, 0, -v_debt, v_debt);
  end if;
end $$;
comment on function heller._arrive(heller.accounts, bigint) is 'Brings a scheduled grant into the balance. The account must be locked.';
