-- Payments that carry a provider's id which another carries as well: the booked one comes first, then the older.
create unlogged table heller_staging.repeated as
select x.name, x.id, row_number() over (partition by x.name, x.provider, x.value order by w.booking_id is null, x.created_at, length(x.id), x.id) as n
from (
  select 'intent' as name, id, provider, intent as value, created_at from heller_staging.facts
  where (provider, intent) in (select provider, intent from heller_staging.facts where intent is not null group by 1, 2 having count(*) > 1)
  union all
  select 'session', id, provider, session, created_at from heller_staging.facts
  where (provider, session) in (select provider, session from heller_staging.facts where session is not null group by 1, 2 having count(*) > 1)
) x
join heller_staging.worth w on w.payment_id = x.id;
analyze heller_staging.repeated;

-- Each payment as it will be. Its key is the provider's id of it, for the first payment that carries it.
create unlogged table heller_staging.payment_keys as
select f.id, f.source, a.no, a.account, f.provider, src.label,
       case when f.intent is not null and coalesce(i.n, 1) = 1 then f.intent end as intent,
       case when f.session is not null and coalesce(s.n, 1) = 1 then f.session end as session,
       case when f.intent is not null and coalesce(i.n, 1) = 1 then case when f.provider = 'stripe' then '' else f.provider || ':' end || f.intent
            when f.session is not null and f.intent is null and coalesce(s.n, 1) = 1 then case when f.provider = 'stripe' then '' else f.provider || ':' end || f.session
            else {system} || ':' || src.label || ':' || f.id end as payment_key,
       f.amount, f.currency, c.credits,
       case n.state when 'settled' then c.credits when 'partly_refunded' then c.credits - c.taken else 0 end as net_credits,
       n.state, coalesce(f.created_at, {snapshot_at}) as created_at
from heller_staging.facts f
join heller_staging.sources src on src.source = f.source
join heller_staging.worth w on w.payment_id = f.id
left join heller_staging.homes h on h.user_id = f.user_id
left join heller_staging.owners o on o.strict = f.strict and o.ref = f.ref
left join heller_staging.accounts a on a.account = coalesce(h.account, o.account)
left join (
  select b.payment_id, -sum(b.delta) as taken from heller_staging.booked b
  where b.side = 'out' and not exists (select from heller_staging.merges m where m.source = b.source and m.id = b.id)
  group by b.payment_id
) b on b.payment_id = f.id
left join heller_staging.repeated i on i.id = f.id and i.name = 'intent'
left join heller_staging.repeated s on s.id = f.id and s.name = 'session'
cross join lateral (select greatest(w.credits, coalesce(w.booked, 0), 0) as credits, coalesce(b.taken, 0)::bigint as taken) c
cross join lateral (
  select case
    when f.state in ('open', 'failed', 'canceled') then f.state
    when f.state = 'chargeback' then 'disputed'
    when c.taken > 0 and c.taken < c.credits then 'partly_refunded'
    when f.state = 'refunded' or c.taken > 0 then 'refunded'
    else 'settled' end as state
) n
order by a.no;
create unique index on heller_staging.payment_keys (id);
create index on heller_staging.payment_keys (no);
analyze heller_staging.payment_keys;

-- What a history row is besides itself: part of a payment, the keeper of rows merged into it, or merged away.
create unlogged table heller_staging.marks as
select coalesce(b.source, m.source, g.into_source) as source, coalesce(b.id, m.id, g.into_id) as id, m.id is not null as is_merged,
       b.payment_id, b.side, k.payment_key, w.payment_id is not null as is_booking,
       case when w.payment_id is not null and f.amount > 0 and f.currency is not null then f.amount else 0 end as cost,
       case when w.payment_id is not null and f.amount > 0 then f.currency end as currency, g.rows as merged
from heller_staging.booked b
left join heller_staging.facts f on f.id = b.payment_id
left join heller_staging.payment_keys k on k.id = b.payment_id
left join heller_staging.worth w on w.payment_id = b.payment_id and w.booking_source = b.source and w.booking_id = b.id
full join heller_staging.merges m on m.source = b.source and m.id = b.id
full join (
  select m.into_source, m.into_id, jsonb_agg(ms.label || ':' || m.id order by m.id) as rows
  from heller_staging.merges m join heller_staging.sources ms on ms.source = m.source group by 1, 2
) g on g.into_source = coalesce(b.source, m.source) and g.into_id = coalesce(b.id, m.id);
analyze heller_staging.marks;

create unlogged table heller_staging.owned as
select o.strict, o.ref, a.no, a.account from heller_staging.owners o join heller_staging.accounts a on a.account = o.account;
analyze heller_staging.owned;

-- One row for each transaction to be, but the opening ones: those follow from what is missing. In the order of the
-- accounts and of their history, so that the copy finds them sorted.
create unlogged table heller_staging.entries as
select o.no, o.account, 1::smallint as ord, coalesce(t.created_at, {snapshot_at}) as at, s.label as source_table, t.id as source_id, t.delta,
       coalesce(c.mapped, case
         when c.class = 'chargeback' then case when t.delta < 0 then 'clawback' else 'reinstate' end
         when c.class = 'refund' then case when t.delta < 0 then 'clawback' else 'refund' end
         when t.delta > 0 and (c.class = 'purchase' or k.side = 'in') then 'purchase'
         when t.delta > 0 and c.class in ('given', 'admin') then 'grant'
         when c.class = 'transfer' then 'transfer'
         when c.class = 'usage' then case when t.delta < 0 then 'spend' else 'refund' end
         else 'adjust' end) as kind,
       concat_ws(': ', nullif(btrim(t.reason), ''), nullif(btrim(t.description), '')) as reason,
       ad.actor_ref as actor,
       k.payment_key,
       case when k.is_booking then k.payment_key when length(t.event) <= 255 then nullif(btrim(t.event), '') end as idempotency_key,
       coalesce(k.cost, 0) as cost, k.currency,
       case when k.payment_id is null and t.event is null and t.admin_ref is null and k.merged is null then
              case when t.metadata = '{{}}' then null
                   when s.json_type = 'jsonb' then ('{{"legacy": ' || t.metadata || '}}')::jsonb  -- came out of a jsonb, so it goes into one
                   else heller_staging.extra(t.metadata, s.json_type is not null) end
            else nullif(jsonb_strip_nulls(jsonb_build_object(
              'payment_id', k.payment_id, 'event', nullif(btrim(t.event), ''), 'admin_action', t.admin_ref, 'comment', ad.comment,
              'merged', k.merged)) || coalesce(heller_staging.extra(t.metadata, s.json_type is not null), '{{}}'), '{{}}') end as metadata
from heller_staging.transactions t
join heller_staging.sources s on s.source = t.source
join heller_staging.owned o on o.strict = s.strict
  and o.ref = case when s.strict then coalesce(t.user_ref, '(none)') else coalesce(heller_staging.key(t.user_ref), '(none)') end
-- every row has its words; as an inner join the planner would expect a thirtieth of the rows, and hash the large side of each join
left join heller_staging.reasons c on c.words = coalesce(t.reason, '') || E'\x1f' || coalesce(t.description, '')
left join heller_staging.marks k on k.source = t.source and k.id = t.id
left join heller_staging.admin_actions ad on ad.id = t.admin_ref
where k.is_merged is not true
order by o.no, at, length(t.id), t.id, s.label;

insert into heller_staging.entries
select a.no, a.account, case when c.code = 'payment_without_transaction' then 1 else 3 end,
       case when c.code = 'payment_without_transaction' then coalesce(f.created_at, {snapshot_at}) else {snapshot_at} end,
       'decision', c.code || ':' || c.key, c.delta,
       case c.code when 'payment_without_transaction' then 'purchase' when 'refund_taken_twice' then 'reinstate'
                   when 'negative_balance' then 'adjust' else 'clawback' end,
       case c.code
         when 'payment_without_transaction' then 'Purchase that was paid but never booked in the old system'
         when 'payment_booked_twice' then 'Credits of a payment that the old system booked more than once'
         when 'refund_taken_twice' then 'Credits that the old system took back more than once for one refund'
         when 'refund_not_taken' then 'Credits of a payment that was given back'
         else 'Debt of the old system forgiven' end,
       null, k.payment_key, case when c.code = 'payment_without_transaction' then k.payment_key end,
       case when c.code = 'payment_without_transaction' and f.currency is not null then greatest(f.amount, 0) else 0 end,
       case when c.code = 'payment_without_transaction' then f.currency end,
       jsonb_build_object('decision', c.code, 'row', c.key)
from heller_staging.corrections c
join heller_staging.accounts a on a.account = c.account
left join heller_staging.facts f on f.id = c.key and c.code <> 'negative_balance'
left join heller_staging.payment_keys k on k.id = c.key and c.code <> 'negative_balance';

-- A key belongs to the first row of its account that carries it.
create index on heller_staging.entries (no);
update heller_staging.entries e set idempotency_key = null
from (
  select x.source_table, x.source_id, x.no, row_number() over (partition by no, idempotency_key order by x.ord, x.at, length(x.source_id), x.source_id) as n
  from heller_staging.entries x
  join (select no, idempotency_key from heller_staging.entries where idempotency_key is not null group by 1, 2 having count(*) > 1) r using (no, idempotency_key)
) d where d.n > 1 and d.no = e.no and d.source_table = e.source_table and d.source_id = e.source_id;
analyze heller_staging.entries;

-- What the entries of each account come to.
create unlogged table heller_staging.known as
select no, count(*) as rows, sum(delta)::bigint as credits, min(at) as first_at from heller_staging.entries group by no;
create unique index on heller_staging.known (no);
analyze heller_staging.known;

-- Rows that a decision leaves out.
insert into heller_staging.quarantine
select t.source, t.id, t.user_ref, t.delta, 'left out by decision: ' || case o.verdict when 'many' then 'the user is ambiguous' else 'the user is unknown' end
from heller_staging.transactions t
join heller_staging.sources s on s.source = t.source
join (select w.*, r.verdict from heller_staging.owners w join heller_staging.refs r on r.strict = w.strict and r.ref = w.ref) o on o.strict = s.strict
  and o.ref = case when s.strict then coalesce(t.user_ref, '(none)') else coalesce(heller_staging.key(t.user_ref), '(none)') end
where o.account is null and not exists (select from heller_staging.merges m where m.source = t.source and m.id = t.id);

insert into heller_staging.quarantine
select k.source, k.id, f.ref, f.credits, 'left out by decision: the user is not known'
from heller_staging.payment_keys k join heller_staging.facts f on f.id = k.id where k.account is null;
