create or replace function heller._spend_batch(
  p_accounts text[], p_units text[], p_amounts bigint[], p_keys text[], p_reasons text[], p_actors text[], p_metadata jsonb[], p_options jsonb[],
  out seqs bigint[], out balances bigint[], out availables bigint[], out recorded_at timestamptz, out others jsonb[]
)
language plpgsql set search_path = pg_catalog
set client_encoding = 'UTF8'  -- of the hashes: record_send speaks the client's
-- the planner takes every array for ten rows: it must not join two of them in O(n^2), nor keep the plan made for an empty table,
-- nor plan anew for each call because a short array looks cheaper. Before 18 what is "off" costs 1e10, for the functions called from
-- here as well, and that alone makes the server compile them: seconds for each replay
set enable_nestloop = off set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off as $$
declare
  r record;
  a heller.accounts;
  d record;
  -- the locked accounts; a null in v_available: only _spend_decide can say why not
  v_ids text[];
  v_units text[];
  v_ctids tid[];
  v_due boolean[];
  v_posted bigint[];
  v_available bigint[];
  v_last_seqs bigint[];
  v_heads bytea[];
  v_latest timestamptz[];
  -- the spends, in parallel with the arguments
  v_amounts bigint[] := p_amounts;
  v_requests jsonb[];
  v_effective timestamptz[];
  v_filed timestamptz[];
  v_hashes bytea[] := array_fill(null::bytea, array[cardinality(p_accounts)]);
  v_first bigint[];  -- only when a key comes twice: the place where it comes first
  v_taken boolean[];  -- at that place: whether the key is written
  v_again integer[];
  -- one look at all of them: the pattern costs a microsecond a text
  v_is_printable boolean := coalesce(p_keys::text !~ '[\x01-\x1f\x7f]', true) and coalesce(p_actors::text !~ '[\x01-\x1f\x7f]', true);
  v_is_in_time boolean;  -- no account has anything that counts later than now
  i integer;
  v_seq bigint;
  v_balance bigint;
  v_hash bytea;
begin
  if heller._is_spread() and (select count(distinct heller._shard_of(x.id)) from unnest(p_accounts) x (id)) > 1 then
    select s.* into seqs, balances, availables, recorded_at, others
    from heller._spend_by_shard(p_accounts, p_units, p_amounts, p_keys, p_reasons, p_actors, p_metadata, p_options) s;
    return;
  end if;
  for v_pass in 1 .. 2 loop
    -- one lock order for all writers; the next statement's snapshot sees every key they committed
    select array_agg(c.account_id), array_agg(c.unit), array_agg(c.ctid), array_agg(c.posted), array_agg(c.last_seq), array_agg(c.head_hash),
           array_agg(c.latest_at),
           array_agg(case when c.frozen_at is null and c.epoch % 2 is distinct from 0 then c.posted - c.held + c.overdraft_limit end),
           array_agg(c.frozen_at is null and (c.next_due_at <= heller._clock()) is true)
    into v_ids, v_units, v_ctids, v_posted, v_last_seqs, v_heads, v_latest, v_available, v_due
    from (select x.*, x.ctid from heller.accounts x where x.account_id = any (p_accounts) order by x.account_id, x.unit for no key update) c;
    exit when v_pass = 2 or true = any (v_due) is not true;
    for i in 1 .. cardinality(v_due) loop
      continue when not v_due[i];
      select * into a from heller.accounts where account_id = v_ids[i] and unit = v_units[i];
      perform heller._run_due(a);
    end loop;
  end loop;
  recorded_at := heller._clock();
  v_is_in_time := (recorded_at < any (v_latest)) is not true;
  seqs := array_fill(null::bigint, array[cardinality(p_accounts)]);
  balances := seqs;
  availables := seqs;
  if exists (select from unnest(p_accounts, p_keys) k (account, key) where k.key is not null
             group by k.account collate "C", k.key collate "C" having count(*) > 1) then
    v_first := array(select min(k.n) over (partition by k.account, coalesce(k.key, k.n::text), k.key is null)
                     from unnest(p_accounts, p_keys) with ordinality k (account, key, n) order by k.n);
  end if;
  for r in
    select x.n, c.i, x.account, coalesce(x.unit, 'credit') as unit, x.amount, x.key, coalesce(x.reason, '') as reason, x.actor,
           nullif(x.metadata, '{}') as metadata, x.options,
           x.options is null and heller._is_plain(x.amount, x.reason, x.actor, x.key, x.metadata, v_is_printable) as is_plain,
           x.key is not null and (exists (select from heller.transactions k where k.account_id = x.account and k.idempotency_key = x.key
                                             and (not heller._is_spread() or k.account_id = any (p_accounts)))
                               or exists (select from heller.holds k where k.account_id = x.account and k.idempotency_key = x.key
                                             and (not heller._is_spread() or k.account_id = any (p_accounts)))
                               or exists (select from heller.grants k where k.account_id = x.account and k.idempotency_key = x.key
                                             and (not heller._is_spread() or k.account_id = any (p_accounts)))
                               or exists (select from heller.outcomes k where k.account_id = x.account and k.idempotency_key = x.key
                                             and (not heller._is_spread() or k.account_id = any (p_accounts)))) as is_known
    from unnest(p_accounts, p_units, p_amounts, p_keys, p_reasons, p_actors, p_metadata, p_options) with ordinality
         x (account, unit, amount, key, reason, actor, metadata, options, n)
    left join unnest(v_ids, v_units) with ordinality c (account_id, unit, i)
      on c.account_id = x.account collate "C" and c.unit = coalesce(x.unit, 'credit') collate "C"
    order by x.account collate "C", x.n  -- by account, so that a page is touched once
  loop
    if v_first is not null and v_taken[v_first[r.n]] then
      v_again := v_again || r.n;
      continue;
    end if;
    v_seq := v_last_seqs[r.i] + 1;
    if r.is_known or r.is_plain is not true or (r.amount <= v_available[r.i]) is not true then
      others := coalesce(others, array_fill(null::jsonb, array[cardinality(p_accounts)]));
      select * into a from heller.accounts c where c.account_id = r.account and c.unit = r.unit;
      a.version := a.version + v_last_seqs[r.i] - a.last_seq;
      a.posted := v_posted[r.i];
      d := heller._spend_decide(a, r.account, r.unit, r.amount, r.key, r.reason, r.actor, r.metadata, r.options, r.is_known);
      if d.amount is null then
        others[r.n] := d.answer;
        continue;
      end if;
      r.amount := d.amount;
      others[r.n] := heller._result(row(
        r.account, r.unit, v_seq, -r.amount, a.posted - r.amount, 'spend', r.reason, r.actor, r.metadata, r.key, null, null, null, null, null,
        coalesce(d.effective_at, recorded_at), recorded_at, null, null, null, null, null)::heller.transactions, v_available[r.i] - r.amount);
      if d.is_dry_run then
        others[r.n] := others[r.n] || '{"dry_run": true}';
        continue;
      end if;
      v_amounts[r.n] := r.amount;
      v_requests[r.n] := d.request;
      v_effective[r.n] := d.effective_at;
    end if;
    if v_is_in_time and v_effective[r.n] is null then
      v_latest[r.i] := recorded_at;
    else
      v_filed[r.n] := heller._filed_at(v_latest[r.i], coalesce(v_effective[r.n], recorded_at), recorded_at);
      if v_filed[r.n] is null then v_latest[r.i] := coalesce(v_effective[r.n], recorded_at); end if;
    end if;
    v_balance := v_posted[r.i] - r.amount;
    v_hash := sha256(v_heads[r.i] || record_send(row(
      r.account, r.unit, v_seq, -r.amount, v_balance, 'spend'::text, r.reason, r.actor, r.metadata, r.key, v_requests[r.n], null::bigint,
      null::bigint, null::text, null::text, coalesce(v_effective[r.n], recorded_at), recorded_at, null::text, null::text, null::text)));
    v_posted[r.i] := v_balance;
    v_available[r.i] := v_available[r.i] - r.amount;
    v_last_seqs[r.i] := v_seq;
    v_heads[r.i] := v_hash;
    seqs[r.n] := v_seq;
    balances[r.n] := v_balance;
    availables[r.n] := v_available[r.i];
    v_hashes[r.n] := v_hash;
    if v_first is not null then v_taken[v_first[r.n]] := true; end if;
  end loop;
  insert into heller.transactions (account_id, unit, seq, delta, balance_after, kind, reason, actor, metadata, idempotency_key, request,
                                   effective_at, recorded_at, hash, filed_at)
  select x.account, coalesce(x.unit, 'credit'), x.seq, -x.amount, x.balance, 'spend', coalesce(x.reason, ''), x.actor, nullif(x.metadata, '{}'),
         x.key, v_requests[x.n], coalesce(v_effective[x.n], recorded_at), recorded_at, x.hash, v_filed[x.n]
  from unnest(p_accounts, p_units, v_amounts, p_keys, p_reasons, p_actors, p_metadata, seqs, balances, v_hashes) with ordinality
       x (account, unit, amount, key, reason, actor, metadata, seq, balance, hash, n)
  where x.seq is not null
  order by x.account collate "C", x.seq;
  update heller.accounts u set posted = c.posted, version = u.version + c.last_seq - u.last_seq, last_seq = c.last_seq, head_hash = c.head,
    latest_at = c.latest_at
  from unnest(v_ids, v_ctids, v_posted, v_last_seqs, v_heads, v_latest) c (account_id, row_id, posted, last_seq, head, latest_at)
  where u.ctid = c.row_id  -- the row is locked: it is where it was found
    and (u.account_id = c.account_id) is true  -- as a plain equality it would be hashed, over all accounts
    and (not heller._is_spread() or u.account_id = any (p_accounts))  -- Citus looks for its shard here
    and u.last_seq <> c.last_seq;
  foreach i in array coalesce(v_again, '{}') loop  -- replays of what was written just now
    d := heller._spend_decide(null, p_accounts[i], coalesce(p_units[i], 'credit'), p_amounts[i], p_keys[i], coalesce(p_reasons[i], ''), p_actors[i],
                              nullif(p_metadata[i], '{}'), p_options[i], true);
    others := coalesce(others, array_fill(null::jsonb, array[cardinality(p_accounts)]));
    others[i] := d.answer;
  end loop;
end $$;
comment on function heller._spend_batch(text[], text[], bigint[], text[], text[], text[], jsonb[], jsonb[]) is
  'Spends of many accounts in one go: lock in id order, decide in order, write all rows at once. A place has a seq, balance and available, or its answer in others (a refusal, a replay, what became of a spend with options).';
