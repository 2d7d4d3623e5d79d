create or replace function heller._give(
  a heller.accounts, p_seq bigint, p_amount bigint, p_source text, p_reason text, p_priority integer default 100,
  p_expires_at timestamptz default null, p_cost bigint default 0, p_currency text default null, p_payment_key text default null,
  p_actor text default null, p_metadata jsonb default null, p_granted_at timestamptz default null
) returns bigint
language plpgsql set search_path = pg_catalog as $$
declare
  v_grant_id bigint;
  v_debt bigint;
begin
  update heller.accounts set
    last_grant = last_grant + 1,
    uncovered = uncovered - least(uncovered, p_amount),
    next_due_at = least(next_due_at, p_expires_at)
  where account_id = a.account_id and unit = a.unit
  returning last_grant into v_grant_id;
  v_debt := least(a.uncovered, p_amount);
  insert into heller.grants (account_id, unit, grant_id, seq, amount, remaining, source, priority, expires_at, cost, currency,
                             payment_key, reason, actor, metadata, granted_at)
  values (a.account_id, a.unit, v_grant_id, p_seq, p_amount, p_amount - v_debt, p_source, p_priority, p_expires_at, p_cost,
          p_currency, p_payment_key, p_reason, p_actor, p_metadata, coalesce(p_granted_at, heller._clock()));
  if v_debt > 0 then
    insert into heller.draws (account_id, unit, last_seq, grant_id, first_seq, upper_balance, lower_balance, amount)
    values (a.account_id, a.unit, p_seq, v_grant_id, p_seq, 0, -v_debt, v_debt);
  end if;
  return v_grant_id;
end $$;
comment on function heller._give(heller.accounts, bigint, bigint, text, text, integer, timestamptz, bigint, text, text, text, jsonb, timestamptz) is
  'Writes the grant of credits that transaction p_seq brought; debt (uncovered) is paid from it first. The account must be settled (a is its row from before the transaction).';
