-- What one transaction of the copy does: all accounts numbered p_low to p_high, whole or not at all.
-- An account that is not there yet is written in one go; one that is there gets what is missing, row by row.

create or replace function heller_staging.opening_reason(p_delta bigint) returns text language sql immutable parallel safe as $$
  select case when p_delta > 0 then 'Opening balance: credits that no record of the old system explains'
              else 'Opening difference: credits that the records of the old system bring but its balance no longer had' end
$$;

create or replace function heller_staging.grant_source(p_kind text) returns text language sql immutable parallel safe as $$
  select case p_kind when 'purchase' then 'purchase' when 'grant' then 'promotion' when 'migrate' then 'migration' else 'adjustment' end
$$;

create or replace function heller_staging.copy_range(p_low bigint, p_high bigint) returns void language plpgsql as $$
declare
  v_there bigint[];
begin
  select coalesce(array_agg(a.no), '{{}}') into v_there
  from heller_staging.accounts a
  where a.no between p_low and p_high  -- one look by key each: a join would read all accounts again for each range
    and (select h.account_id from heller.accounts h where h.account_id = a.account and h.unit = 'credit') is not null;
  if v_there <> '{{}}' then perform heller_staging.copy_missing(p_low, p_high); end if;
  perform heller_staging.copy_fresh(p_low, p_high, v_there);
  perform heller_staging.copy_beside(p_low, p_high);
end $$;

create or replace function heller_staging.copy_fresh(p_low bigint, p_high bigint, p_there bigint[]) returns void language plpgsql as $$
declare
  v_now timestamptz := clock_timestamp();
  v_done integer;
begin
  with scope as materialized (
    select a.no, a.account, a.is_user, a.opened_at, a.target, k.credits, k.first_at
    from heller_staging.accounts a left join heller_staging.known k on k.no = a.no and k.no between p_low and p_high
    where a.no between p_low and p_high and a.no <> all (p_there)
  ), due as (
    select e.no, e.account, e.ord::integer, e.at, length(e.source_id) as length, e.source_table, e.source_id, e.delta, e.kind, e.reason, e.actor,
           e.payment_key, e.idempotency_key, e.cost, e.currency, e.metadata
    from heller_staging.entries e
    where e.no between p_low and p_high and e.no <> all (p_there)
    union all
    select s.no, s.account, case when o.delta > 0 then 0 else 9 end,
           case when o.delta > 0 then coalesce(least(s.first_at, s.opened_at), {snapshot_at}) else {snapshot_at} end,
           0, 'opening', s.account, o.delta, 'migrate', heller_staging.opening_reason(o.delta), null, null, null, 0, null, null
    from scope s cross join lateral (select s.target - coalesce(s.credits, 0) as delta) o
    where o.delta <> 0
  ), numbered as (
    select d.*, row_number() over w as seq, (sum(d.delta) over w)::bigint as balance_after,
           max(case when d.at <= v_now then d.at end) over w as latest_at
    from due d window w as (partition by d.no order by d.ord, d.at, d.length, d.source_id, d.source_table)
  ), chained as materialized (  -- by the same order as before, so that the rows are sorted once
    select n.*,
           heller._chain(record_send(row(
             n.account, 'credit'::text, n.seq, n.delta, n.balance_after, n.kind, n.reason, n.actor, n.metadata, n.idempotency_key,
             null::jsonb, null::bigint, null::bigint, n.payment_key, null::text, n.at, v_now, {system}::text, n.source_table, n.source_id
           ))) over (partition by n.no order by n.ord, n.at, n.length, n.source_id, n.source_table rows unbounded preceding) as hash
    from numbered n
  ), written as (
    insert into heller.transactions (account_id, unit, seq, delta, balance_after, kind, reason, actor, metadata, idempotency_key,
      payment_key, effective_at, recorded_at, source_system, source_table, source_id, hash, filed_at)
    select account, 'credit', seq, delta, balance_after, kind, reason, actor, metadata, idempotency_key,
           payment_key, at, v_now, {system}, source_table, source_id, hash,
           case when at > v_now or at < latest_at then coalesce(latest_at, '-infinity') end
    from chained
  ), laid as (
    select c.no, c.account, c.seq, c.delta, c.kind, c.cost, c.currency, c.payment_key, c.reason, c.at,
           sum(c.delta) over (partition by c.no order by c.seq rows unbounded preceding) + g.gone as rest
    from chained c
    join (select no, coalesce(sum(delta) filter (where delta < 0), 0) as gone from chained group by no) g using (no)
    where c.delta > 0
  ), given as materialized (
    select l.*, least(l.delta, l.rest)::bigint as remaining, row_number() over (partition by l.no order by l.seq) as grant_id
    from laid l where l.rest > 0
  ), granted as (
    insert into heller.grants (account_id, unit, grant_id, seq, amount, remaining, source, cost, currency, payment_key, reason, granted_at)
    select account, 'credit', grant_id, seq, delta, remaining, heller_staging.grant_source(kind), cost, currency, payment_key, reason, at
    from given
  ), opened as (
    insert into heller.accounts (account_id, unit, user_id, posted, version, last_seq, last_grant, head_hash, settled_seq, settled_posted, uncovered, latest_at, opened_at)
    select s.account, 'credit', case when s.is_user then s.account end, coalesce(l.balance_after, 0), coalesce(l.seq, 0), coalesce(l.seq, 0),
           coalesce(g.grants, 0), coalesce(l.hash, ''), coalesce(l.seq, 0), coalesce(l.balance_after, 0),
           greatest(-coalesce(l.balance_after, 0), 0), l.latest_at, coalesce(s.opened_at, {snapshot_at})
    from scope s
    left join (select distinct on (no) no, seq, balance_after, latest_at, hash from chained order by no, seq desc) l using (no)
    left join (select no, count(*) as grants from given group by no) g using (no)
  )
  select 1 into v_done;
end $$;

-- One more row for an account that is there: as the ledger's own verbs write it, with the source's time and provenance.
create or replace function heller_staging.append(p_account text, e heller_staging.entries) returns void language plpgsql as $$
declare
  a heller.accounts;
  t heller.transactions;
begin
  select * into strict a from heller.accounts where account_id = p_account and unit = 'credit' for update;
  if e.delta > 0 then a := heller._settle(a); end if;
  t.account_id := p_account;
  t.unit := 'credit';
  t.seq := a.last_seq + 1;
  t.delta := e.delta;
  t.balance_after := a.posted + e.delta;
  t.kind := e.kind;
  t.reason := e.reason;
  t.actor := e.actor;
  t.metadata := e.metadata;
  t.payment_key := e.payment_key;
  if not exists (select from heller.transactions x where x.account_id = p_account and x.idempotency_key = e.idempotency_key) then
    t.idempotency_key := e.idempotency_key;
  end if;
  t.effective_at := e.at;
  t.recorded_at := clock_timestamp();
  t.filed_at := heller._filed_at(a.latest_at, t.effective_at, t.recorded_at);
  t.source_system := {system};
  t.source_table := e.source_table;
  t.source_id := e.source_id;
  t.hash := heller._transaction_hash(a.head_hash, t);
  insert into heller.transactions select t.*;
  update heller.accounts set posted = t.balance_after, version = version + 1, last_seq = t.seq, head_hash = t.hash,
    latest_at = case when t.filed_at is null then t.effective_at else latest_at end,
    settled_seq = case when t.delta > 0 then t.seq else settled_seq end,
    settled_posted = case when t.delta > 0 then t.balance_after else settled_posted end
  where account_id = p_account and unit = 'credit';
  if t.delta > 0 then
    perform heller._give(a, t.seq, t.delta, heller_staging.grant_source(t.kind), t.reason, p_cost => e.cost, p_currency => e.currency,
                         p_payment_key => t.payment_key, p_granted_at => t.effective_at);
  end if;
end $$;

create or replace function heller_staging.copy_missing(p_low bigint, p_high bigint) returns void language plpgsql as $$
declare
  v record;
  e heller_staging.entries;
  v_difference bigint;
begin
  for v in
    select a.no, a.account, a.target, coalesce(h.credits, 0) as credits, coalesce(h.openings, 0) as openings,
           coalesce(n.missing, 0) as missing, coalesce(n.credits, 0) as missing_credits
    from heller_staging.accounts a
    join heller.accounts there on there.account_id = a.account and there.unit = 'credit'
      and coalesce(there.epoch, 0) = 0  -- once an account has moved, the handover alone knows what is missing
    left join (
      select t.account_id, sum(t.delta)::bigint as credits, count(*) filter (where t.source_table = 'opening') as openings
      from heller.transactions t
      where t.source_system = {system} and t.account_id in (select account from heller_staging.accounts where no between p_low and p_high)
      group by t.account_id
    ) h on h.account_id = a.account
    left join (
      select x.no, count(*) as missing, sum(x.delta)::bigint as credits from heller_staging.entries x
      where x.no between p_low and p_high and not exists (
        select from heller.transactions t where t.account_id = x.account and t.source_system = {system}
          and t.source_table = x.source_table and t.source_id = x.source_id)
      group by x.no
    ) n on n.no = a.no
    where a.no between p_low and p_high
      and (n.missing > 0 or a.target <> coalesce(h.credits, 0))
    order by a.account
  loop
    perform from heller.accounts where account_id = v.account and unit = 'credit' for update;
    for e in
      select x.* from heller_staging.entries x
      where x.no = v.no and v.missing > 0 and not exists (
        select from heller.transactions t where t.account_id = x.account and t.source_system = {system}
          and t.source_table = x.source_table and t.source_id = x.source_id)
      order by x.ord, x.at, length(x.source_id), x.source_id, x.source_table
    loop
      perform heller_staging.append(v.account, e);
    end loop;
    v_difference := v.target - v.credits - v.missing_credits;
    if v_difference <> 0 then
      e := null;
      e.at := {snapshot_at};
      e.source_table := 'opening';
      e.source_id := v.account || case when v.openings > 0 then '#' || (v.openings + 1) else '' end;
      e.delta := v_difference;
      e.kind := 'migrate';
      e.reason := case when v.openings > 0 then 'Change of the old balance since the last copy that its records do not explain'
                       else heller_staging.opening_reason(v_difference) end;
      e.cost := 0;
      perform heller_staging.append(v.account, e);
    end if;
  end loop;
end $$;

-- Users, names and payments. Where none is there yet a plain insert does, at half the price of one that asks first;
-- where one is, the range is written again by an insert that passes over it.
create or replace function heller_staging.copy_beside(p_low bigint, p_high bigint) returns void language plpgsql as $$
declare
  v_passing_over text;
begin
  foreach v_passing_over in array array['', ' on conflict do nothing'] loop
    begin
      execute $query$
        insert into heller.users (id, metadata, created_at)
        select a.account, nullif(jsonb_strip_nulls(jsonb_build_object('name', p.display)), '{{}}'), coalesce(a.opened_at, {snapshot_at})
        from heller_staging.accounts a
        cross join lateral (select display from heller_staging.people where id = a.account offset 0) p  -- by key, for the same reason
        where a.no between $1 and $2 and a.is_user
        order by a.no $query$ || v_passing_over using p_low, p_high;
      execute $query$
        insert into heller.identities (kind, name, user_id, created_at)
        select kind, name, account, {snapshot_at} from heller_staging.identities where no between $1 and $2
        order by kind, name $query$ || v_passing_over using p_low, p_high;
      execute $query$
        insert into heller.payments (payment_key, account_id, unit, provider, payment_intent, checkout_session, amount, currency, credits,
          net_credits, state, source_system, source_table, source_id, created_at, updated_at)
        select payment_key, account, 'credit', provider, intent, session, amount, currency, credits, net_credits, state, {system}, label, id,
               created_at, created_at
        from heller_staging.payment_keys where no between $1 and $2
        order by payment_key $query$ || v_passing_over using p_low, p_high;
      return;
    exception when unique_violation then
      if v_passing_over <> '' then raise; end if;
    end;
  end loop;
end $$;
