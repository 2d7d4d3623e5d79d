create or replace function heller.record_top_up(
  p_account_id text, p_outcome text, p_amount bigint default 0, p_detail text default null, p_unit text default 'credit'
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();  -- Citus lets no update read a clock
  r heller.top_up_rules;
begin
  if p_outcome is null or p_outcome not in ('succeeded', 'failed', 'declined') then
    perform heller._fail('HL001', format('outcome %s is not one of succeeded, failed, declined', p_outcome), '{"argument": "outcome"}');
  elsif p_amount is null or p_amount < 0 then
    perform heller._fail('HL001', 'amount is the money that moved, in minor units, at least 0', '{"argument": "amount"}');
  end if;
  select * into r from heller.top_up_rules where account_id = p_account_id and unit = p_unit for no key update;
  if not found then
    perform heller._fail('HL001', format('account %s has no top-up rule', p_account_id), '{"argument": "account"}');
  end if;
  insert into heller.top_up_attempts (account_id, unit, attempt, attempted_at, outcome, amount, detail)
  select p_account_id, p_unit, coalesce(max(attempt), 0) + 1, v_now, p_outcome, p_amount, left(p_detail, 500)
  from heller.top_up_attempts where account_id = p_account_id and unit = p_unit;
  if p_outcome = 'succeeded' then
    r.failures := 0;
    r.paused_at := null;
    r.paused_reason := null;
  elsif p_outcome = 'failed' then
    r.failures := r.failures + 1;
    if r.failures >= r.failures_max then
      r.paused_at := coalesce(r.paused_at, v_now);
      r.paused_reason := format('%s failures in a row, the last: %s', r.failures, coalesce(left(p_detail, 500), 'no reason given'));
    end if;
  end if;
  update heller.top_up_rules set attempted_at = v_now, failures = r.failures, paused_at = r.paused_at, paused_reason = r.paused_reason
  where account_id = p_account_id and unit = p_unit returning * into r;
  return heller._top_up_rule_result(r);
end $$;
comment on function heller.record_top_up(text, text, bigint, text, text) is
  'Says what became of an automatic top-up; failures_max failures in a row pause the rule. declined: nothing was tried.';
