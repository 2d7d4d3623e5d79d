create or replace function heller._seal_home(a heller.accounts, p_system text) returns jsonb
language plpgsql set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();  -- Citus lets no update read a clock
  v_body jsonb;
  v_count bigint;
  v_sum bigint;
  v_seen bigint := coalesce((select seen_seq from heller.homes where account_id = a.account_id), 0);
begin
  if a.next_due_at <= heller._clock() then
    perform heller._run_due(a);
    select * into a from heller.accounts where account_id = a.account_id and unit = a.unit;
  end if;
  if a.held > 0 or exists (select from heller.holds where account_id = a.account_id and unit = a.unit and state = 'open') then
    update heller.accounts set draining_since = coalesce(draining_since, v_now) where account_id = a.account_id and unit = a.unit;
    return jsonb_build_object('outcome', 'draining', 'held', a.held);
  end if;
  select coalesce(jsonb_agg(jsonb_build_object(
           'seq', t.seq, 'delta', t.delta, 'kind', t.kind, 'reason', t.reason, 'balance_after', t.balance_after, 'payment_key', t.payment_key,
           'key', t.idempotency_key, 'metadata', t.metadata, 'at', t.effective_at) order by t.seq), '[]'), count(*), coalesce(sum(t.delta), 0)
  into v_body, v_count, v_sum
  from heller.transactions t where t.account_id = a.account_id and t.unit = a.unit and t.seq > v_seen and t.source_system is distinct from p_system;
  v_body := jsonb_build_object('transactions', v_body, 'payments', (
    select coalesce(jsonb_agg(jsonb_build_object(
      'payment_key', p.payment_key, 'provider', p.provider, 'intent', p.payment_intent, 'session', p.checkout_session, 'amount', p.amount,
      'currency', p.currency, 'credits', p.credits, 'net_credits', p.net_credits, 'state', p.state, 'source_table', p.source_table,
      'source_id', p.source_id, 'at', p.created_at,
      'events', (select coalesce(jsonb_agg(i.event_id order by i.inbox_id), '[]') from heller.inbox i where i.payment_key = p.payment_key)
    ) order by p.payment_key), '[]')
    from heller.payments p where p.account_id = a.account_id and (p.source_system is null or p.version > 0) and p.state not in ('open', 'failed', 'canceled')));
  update heller.accounts set epoch = epoch + 1, version = version + 1, next_due_at = null, draining_since = null
  where account_id = a.account_id and unit = a.unit and epoch % 2 = 1 returning * into strict a;
  insert into heller.statements (account_id, epoch, balance, transactions, sum, digest, body)
  values (a.account_id, a.epoch, a.posted, v_count, v_sum, encode(sha256(v_body::text::bytea), 'hex'), v_body);
  insert into heller.homes as h (account_id, source_system, legacy_balance, our_balance, seen_seq)
  values (a.account_id, p_system, a.posted, a.posted, a.last_seq)
  on conflict (account_id) do update set legacy_balance = a.posted, our_balance = a.posted, seen_seq = a.last_seq, returned_at = null,
    changed_at = v_now;
  return jsonb_build_object('outcome', 'sealed', 'epoch', a.epoch);
end $$;
comment on function heller._seal_home(heller.accounts, text) is
  'Seals one locked account for its return, unless holds are open.';
