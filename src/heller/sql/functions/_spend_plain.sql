create or replace function heller._spend_plain(
  p_accounts text[], p_units text[], p_amounts bigint[], p_keys text[], p_reasons text[], p_actors text[], p_metadata jsonb[],
  out seqs bigint[], out balances bigint[], out availables bigint[], out recorded_at timestamptz
)
language plpgsql set search_path = pg_catalog
-- the planner takes every array for ten rows: it must not join two of them in O(n^2), nor keep the plan made for an empty table,
-- nor plan anew for each call because a short array looks cheaper
set enable_nestloop = off set enable_seqscan = off set plan_cache_mode = force_generic_plan as $$
declare
  v_now timestamptz;
  v_ids text[];
  v_units text[];
  v_posted bigint[];
  v_available bigint[];
  v_last_seqs bigint[];
  v_hashes bytea[];
  v_ctids tid[];
begin
  -- one lock order for all writers; the next statement's snapshot sees every key they committed
  select array_agg(a.account_id), array_agg(a.unit), array_agg(a.posted), array_agg(a.last_seq), array_agg(a.head_hash), array_agg(a.ctid),
         array_agg(case when a.frozen_at is null and (a.epoch % 2 = 0) is not true and (a.next_due_at <= heller._clock()) is not true then a.posted - a.held + a.overdraft_limit end)
  into v_ids, v_units, v_posted, v_last_seqs, v_hashes, v_ctids, v_available
  from (select c.*, c.ctid from heller.accounts c where c.account_id = any (p_accounts) order by c.account_id, c.unit for no key update) a;
  v_now := heller._clock();
  recorded_at := v_now;
  if exists (select from unnest(p_accounts, p_keys) k (account, key) where k.key is not null
             group by k.account collate "C", k.key collate "C" having count(*) > 1) then
    return;  -- a key twice in one batch: the second is a replay of the first
  end if;
  with asked as (
    select x.n, x.account collate "C" as account, coalesce(x.unit, 'credit') collate "C" as unit, x.amount, x.key, coalesce(x.reason, '') as reason,
           x.actor, nullif(x.metadata, '{}') as metadata, c.posted, c.last_seq, c.head_hash, c.available, c.row_id,
           (heller._is_plain(x.amount, x.reason, x.actor, x.key, x.metadata)) is true
           and not exists (select from heller.transactions k where k.account_id = x.account and k.idempotency_key = x.key)
           and not exists (select from heller.holds k where k.account_id = x.account and k.idempotency_key = x.key)
           and not exists (select from heller.grants k where k.account_id = x.account and k.idempotency_key = x.key) as is_plain
    from unnest(p_accounts, p_units, p_amounts, p_keys, p_reasons, p_actors, p_metadata) with ordinality
         x (account, unit, amount, key, reason, actor, metadata, n)
    left join unnest(v_ids, v_units, v_posted, v_last_seqs, v_hashes, v_ctids, v_available)
         c (account_id, unit, posted, last_seq, head_hash, row_id, available)
      on c.account_id = x.account collate "C" and c.unit = coalesce(x.unit, 'credit') collate "C"
  ), summed as (
    select a.*, row_number() over w as place, sum(a.amount) over w as spent,
           bool_and(a.is_plain) over v and sum(a.amount) over v <= a.available as is_sure
    from asked a window w as (partition by a.account, a.unit order by a.n), v as (partition by a.account)
  ), spends as materialized (
    select s.*, s.last_seq + s.place as seq, (s.posted - s.spent)::bigint as balance_after, (s.available - s.spent)::bigint as available_after,
           lead(s.n) over w is null as is_last,
           heller._link(s.head_hash, record_send(row(
             s.account, s.unit, s.last_seq + s.place, -s.amount, (s.posted - s.spent)::bigint, 'spend'::text, s.reason, s.actor, s.metadata, s.key,
             null::jsonb, null::bigint, null::bigint, null::text, null::text, v_now, v_now, null::text, null::text, null::text))) over w as hash
    from summed s where s.is_sure window w as (partition by s.account, s.unit order by s.n)
  ), written as (
    insert into heller.transactions (account_id, unit, seq, delta, balance_after, kind, reason, actor, metadata, idempotency_key,
                                     effective_at, recorded_at, hash)
    select account, unit, seq, -amount, balance_after, 'spend', reason, actor, metadata, key, v_now, v_now, hash from spends
  ), moved as (
    update heller.accounts u set posted = s.balance_after, version = version + s.place, last_seq = s.seq, head_hash = s.hash
    from spends s where s.is_last and u.ctid = s.row_id  -- the row is locked: it is where it was found
  )
  select array_agg(s.seq order by x.n), array_agg(s.balance_after order by x.n), array_agg(s.available_after order by x.n)
  into seqs, balances, availables
  from unnest(p_accounts) with ordinality x (account, n) left join spends s on s.n = x.n;
end $$;
comment on function heller._spend_plain(text[], text[], bigint[], text[], text[], text[], jsonb[]) is
  'The spends that need no decision: of accounts that can pay for all of theirs in this batch, with new keys and nothing due. Locks all accounts of the batch; what it leaves undone has no seq and is for _spend_each.';
