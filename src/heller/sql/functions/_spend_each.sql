create or replace function heller._spend_each(p_operations jsonb) returns jsonb[]
language plpgsql set search_path = pg_catalog set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  r record;
  a heller.accounts;
  t heller.transactions;
  v_now timestamptz;
  v_due boolean;
  v_available bigint;
  v_amount bigint;
  v_new heller.transactions[];
  v_new_count integer := 0;
  v_changed heller.accounts[];
  v_changed_count integer := 0;
  v_dirty boolean := false;
  v_again jsonb := '[]';
  v_again_places bigint[];
  v_error jsonb;
  v_results jsonb[];
begin
  -- one lock order for all writers; the next statement's snapshot sees everything they committed
  select bool_or(l.next_due_at <= heller._clock()) into v_due
  from (select next_due_at from heller.accounts
        where account_id = any (array(select o ->> 'account' from jsonb_array_elements(p_operations) o))
        order by account_id, unit for no key update) l;
  if v_due then
    perform heller._run_due(d) from heller.accounts d
    where d.account_id = any (array(select o ->> 'account' from jsonb_array_elements(p_operations) o))
      and d.next_due_at <= heller._clock() and d.frozen_at is null;
  end if;
  v_now := heller._clock();
  v_results := array_fill(null::jsonb, array[jsonb_array_length(p_operations)]);
  for r in
    select o.n, o.account, coalesce(o.unit, 'credit') as unit, o.amount, o.reason, o.actor, o.key, nullif(o.metadata, '{}') as metadata,
           o.allow_partial, o.min_available_after, o.if_version, o.dry_run, o.effective_at, c as row,
           o.key is not null and row_number() over (partition by o.account, o.key order by o.n) > 1 as key_seen_above,
           o.key is not null and (exists (select from heller.transactions x where x.account_id = o.account and x.idempotency_key = o.key)
                               or exists (select from heller.holds x where x.account_id = o.account and x.idempotency_key = o.key)
                               or exists (select from heller.grants x where x.account_id = o.account and x.idempotency_key = o.key)) as key_known
    from rows from (jsonb_to_recordset(p_operations) as (account text, unit text, amount numeric, reason text, actor text, key text,
                      metadata jsonb, allow_partial boolean, min_available_after bigint, if_version bigint, dry_run boolean,
                      effective_at timestamptz))
         with ordinality as o (account, unit, amount, reason, actor, key, metadata, allow_partial, min_available_after, if_version,
                               dry_run, effective_at, n)
         left join heller.accounts c on c.account_id = o.account and c.unit = coalesce(o.unit, 'credit')
    order by o.account, coalesce(o.unit, 'credit'), o.n
  loop
    if r.row is null or a.account_id is distinct from r.account or a.unit is distinct from r.unit then
      if v_dirty then
        v_changed_count := v_changed_count + 1;
        v_changed[v_changed_count] := a;
        v_dirty := false;
      end if;
      a := r.row;
    end if;
    if r.key_seen_above then
      v_again := v_again || (p_operations -> (r.n - 1)::integer);
      v_again_places := v_again_places || r.n;
      continue;
    end if;
    v_error := heller._spend_refusal(r.account, r.unit, r.amount, r.reason, r.actor, r.key, r.metadata);
    if v_error is null then
      if r.key_known then
        v_results[r.n] := heller._replay_value(r.account, r.key, jsonb_build_object('verb', 'spend', 'unit', r.unit, 'amount', r.amount,
          'reason', coalesce(r.reason, ''), 'metadata', r.metadata) || coalesce(heller._spend_request(r.allow_partial, r.min_available_after, r.effective_at, r.amount::bigint), '{}'));
        continue;
      elsif a.account_id is null then
        v_error := heller._error('HL003', format('there is no account %s with unit %s', r.account, r.unit), jsonb_build_object('account', r.account));
      elsif a.frozen_at is not null then
        v_error := heller._error('HL005', format('account %s is frozen: %s', r.account, a.frozen_reason),
                                 jsonb_build_object('account', r.account, 'reason', a.frozen_reason));
      elsif a.epoch % 2 = 0 then
        v_error := heller._away(a);
      elsif r.if_version <> a.version then
        v_error := heller._error('HL014', format('account %s is at version %s, not %s', r.account, a.version, r.if_version),
                                 jsonb_build_object('account', r.account, 'expected', r.if_version, 'actual', a.version));
      else
        v_available := a.posted - a.held + a.overdraft_limit;
        v_amount := r.amount;
        if v_amount > v_available - coalesce(r.min_available_after, 0) then
          v_amount := case when r.allow_partial then greatest(v_available - coalesce(r.min_available_after, 0), 0) else 0 end;
        end if;
        if v_amount = 0 then
          v_error := heller._error('HL002', format('%s credits are needed and %s are available', r.amount, v_available - coalesce(r.min_available_after, 0)),
            jsonb_build_object('account', r.account, 'required', r.amount, 'available', v_available, 'held', a.held));
        end if;
      end if;
    end if;
    if v_error is not null then
      v_results[r.n] := v_error;
      continue;
    end if;
    t.account_id := r.account;
    t.unit := r.unit;
    t.seq := a.last_seq + 1;
    t.delta := -v_amount;
    t.balance_after := a.posted - v_amount;
    t.kind := 'spend';
    t.reason := coalesce(r.reason, '');
    t.actor := r.actor;
    t.metadata := r.metadata;
    t.idempotency_key := r.key;
    t.request := heller._spend_request(r.allow_partial, r.min_available_after, r.effective_at, r.amount::bigint);
    t.effective_at := coalesce(r.effective_at, v_now);
    t.recorded_at := v_now;
    t.hash := heller._transaction_hash(a.head_hash, t);
    v_results[r.n] := heller._result(t, v_available - v_amount);
    if r.dry_run then continue; end if;
    v_new_count := v_new_count + 1;
    v_new[v_new_count] := t;
    a.posted := t.balance_after;
    a.version := a.version + 1;
    a.last_seq := t.seq;
    a.head_hash := t.hash;
    v_dirty := true;
  end loop;
  if v_dirty then
    v_changed_count := v_changed_count + 1;
    v_changed[v_changed_count] := a;
  end if;
  if v_new_count > 0 then
    insert into heller.transactions select n.* from unnest(v_new) n;
    update heller.accounts u set posted = n.posted, version = n.version, last_seq = n.last_seq, head_hash = n.head_hash
    from unnest(v_changed) n where u.account_id = n.account_id and u.unit = n.unit;
  end if;
  if v_again_places is not null then
    declare
      v_rest jsonb[] := heller._spend_each(v_again);
    begin
      for i in 1 .. cardinality(v_again_places) loop
        v_results[v_again_places[i]] := v_rest[i];
      end loop;
    end;
  end if;
  return v_results;
end $$;
comment on function heller._spend_each(jsonb) is
  'Spends of many accounts, each with all the rules: lock in id order, decide in order per account, write all rows at once. Each operation has its own result or error.';
