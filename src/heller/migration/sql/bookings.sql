-- Which history rows booked which payment, and which rows of the two histories are one business event.

create unlogged table heller_staging.states as
select status, heller_staging.state(status) as state from (select distinct status from heller_staging.payments) p;

-- Payments with their owner by name, or by what the provider's own data says where the row names nobody.
create unlogged table heller_staging.facts as
select p.source, p.id, s.strict, r.ref, coalesce(r.user_id, e.user_id) as user_id, st.state,
       nullif(btrim(p.intent), '') as intent, nullif(btrim(p.session), '') as session,
       lower(coalesce(nullif(btrim(p.provider), ''), 'stripe')) as provider,
       p.amount, upper(nullif(btrim(p.currency), '')) as currency, p.credits, p.event, p.status, p.created_at
from heller_staging.payments p
join heller_staging.sources s using (source)
left join heller_staging.states st on st.status is not distinct from p.status
join heller_staging.refs r on r.strict = s.strict
  and r.ref = case when s.strict then coalesce(p.user_ref, '(none)') else coalesce(heller_staging.key(p.user_ref), '(none)') end
left join (
  select t.id, min(n.user_id) as user_id
  from heller_staging.told t join heller_staging.names n on n.name = t.name
  where t.ref = '(none)' group by 1 having count(distinct n.user_id) = 1
) e on e.id = p.id and p.user_ref is null;
create unique index on heller_staging.facts (id);
analyze heller_staging.facts;

-- Every way a history row can point at a payment, surest first: its number, a key of the provider, the event.
create unlogged table heller_staging.links (source smallint, ledger boolean, id text, payment_id text, via smallint);

insert into heller_staging.links
select t.source, t.ledger, t.id, f.id, 1
from heller_staging.transactions t join heller_staging.facts f on f.id = t.payment_ref
where t.payment_ref is not null;
create index on heller_staging.links (source, id);
analyze heller_staging.links;

insert into heller_staging.links
select source, ledger, id, min(payment_id), 2
from (
  select w.source, w.ledger, w.id, f.id as payment_id from heller_staging.pointers w join heller_staging.facts f on f.intent = w.token where not w.is_id
  union
  select w.source, w.ledger, w.id, f.id from heller_staging.pointers w join heller_staging.facts f on f.session = w.token where not w.is_id
  union
  select w.source, w.ledger, w.id, f.id from heller_staging.pointers w join heller_staging.facts f on f.id = w.token where w.is_id
) x
group by source, ledger, id having count(distinct payment_id) = 1;

create unlogged table heller_staging.payment_events as
select id as payment_id, event from heller_staging.facts where event is not null
union
select p.id, m.found[1] from heller_staging.payments p, regexp_matches(p.raw, '\m(evt_[A-Za-z0-9_]+)', 'g') m(found)
where p.raw ~ 'evt_';

insert into heller_staging.links
select t.source, t.ledger, t.id, min(e.payment_id), 3
from heller_staging.transactions t join heller_staging.payment_events e on e.event = t.event
where not exists (select from heller_staging.links l where l.source = t.source and l.id = t.id)
group by t.source, t.ledger, t.id having count(distinct e.payment_id) = 1;

-- A ledger row with the event of a linked transaction is of the same payment.
insert into heller_staging.links
select t.source, t.ledger, t.id, min(l.payment_id), 3
from heller_staging.transactions t
join heller_staging.transactions o on o.event = t.event and not o.ledger
join heller_staging.links l on l.source = o.source and l.id = o.id
where t.ledger and t.event is not null
  and not exists (select from heller_staging.links k where k.source = t.source and k.id = t.id)
group by t.source, t.ledger, t.id having count(distinct l.payment_id) = 1;
analyze heller_staging.links;

-- Rows of a payment in the order they were written: n-th booking, n-th taking back.
create unlogged table heller_staging.booked as
select l.source, l.ledger, l.id, l.payment_id, l.via, t.delta, t.created_at, c.class,
       case when t.delta > 0 then 'in' else 'out' end as side,
       row_number() over (partition by l.payment_id, l.ledger, t.delta > 0 order by t.created_at, length(l.id), l.id) as n
from heller_staging.links l
join heller_staging.transactions t on t.source = l.source and t.id = l.id
left join heller_staging.reasons c on c.words = coalesce(t.reason, '') || E'\x1f' || coalesce(t.description, '');
create index on heller_staging.booked (payment_id);
create unique index on heller_staging.booked (source, id);
analyze heller_staging.booked;

-- Ledger rows that are the same business event as a transaction: the n-th of a payment with the n-th, or by event.
create unlogged table heller_staging.merges (source smallint, id text, into_source smallint, into_id text);
insert into heller_staging.merges
select l.source, l.id, t.source, t.id
from heller_staging.booked l
join heller_staging.booked t on t.payment_id = l.payment_id and t.side = l.side and t.n = l.n and not t.ledger
where l.ledger;

insert into heller_staging.merges
select l.source, l.id, t.source, t.id
from (
  select source, id, event, delta > 0 as up, row_number() over (partition by event, delta > 0 order by created_at, length(id), id) as n
  from heller_staging.transactions x where ledger and event is not null
    and not exists (select from heller_staging.booked b where b.source = x.source and b.id = x.id)
) l
join (
  select source, id, event, delta > 0 as up, row_number() over (partition by event, delta > 0 order by created_at, length(id), id) as n
  from heller_staging.transactions x where not ledger and event is not null
    and event in (select event from heller_staging.transactions where ledger)
) t on t.event = l.event and t.up = l.up and t.n = l.n;
create unique index on heller_staging.merges (source, id);
analyze heller_staging.merges;

-- How many credits each payment brought: as ordered, as booked, as the same price brought elsewhere, or estimated.
create unlogged table heller_staging.worth as
with first as (
  select distinct on (payment_id) payment_id, source, id, delta, ledger from heller_staging.booked
  where side = 'in' order by payment_id, ledger, n
), price as (
  select distinct on (amount, currency) amount, currency, credits
  from (
    select f.amount, f.currency, coalesce(f.credits, b.delta) as credits, count(*) as n
    from heller_staging.facts f left join first b on b.payment_id = f.id
    where f.amount > 0 and coalesce(f.credits, b.delta) > 0 group by 1, 2, 3
  ) x order by amount, currency, n desc, credits
)
select f.id as payment_id, b.source as booking_source, b.id as booking_id, b.delta as booked,
       coalesce(nullif(f.credits, 0), b.delta, price.credits, f.amount / 5, 0) as credits,
       coalesce(nullif(f.credits, 0), b.delta) is null and f.amount > 0 as estimated
from heller_staging.facts f
left join first b on b.payment_id = f.id
left join price on price.amount = f.amount and price.currency is not distinct from f.currency;
create unique index on heller_staging.worth (payment_id);
analyze heller_staging.worth;
