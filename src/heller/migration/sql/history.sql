-- What can be told from the rows of the history alone. Runs beside identities.sql, in a session of its own.

-- What each reason says, decided once a distinct text.
create unlogged table heller_staging.reasons as
select words, (select k.kind from heller_staging.kinds k where k.reason = lower(btrim(coalesce(d.reason, d.description)))) as mapped,
       case
         when said ~ '\m(chargeback|charge_back|dispute|disputed)' then 'chargeback'
         when said ~ '\mrefund' then 'refund'
         when said ~ '^(purchase|payment|top.?up|buy|bought|kauf)' or said ~ '\mpurchase' then 'purchase'
         when said ~ '\m(bonus|welcome|seed|promo|promotion|gift|signup|sign_up|referral|free|trial|grant)' then 'given'
         when said ~ '^admin' then 'admin'
         when said ~ '\m(admin|manual|adjust|adjustment|correction|korrektur|kulanz)' then 'manual'
         when said ~ '^transfer' then 'transfer'
         when said ~ '(usage|used|\muse\M|spend|spent|consum|debit|deduct|analys|match|improve|feature|resume|\mjob|verbrauch)' then 'usage'
         else 'other'
       end as class
from (
  select coalesce(reason, '') || E'\x1f' || coalesce(description, '') as words, min(reason) as reason, min(description) as description,
         lower(concat_ws(' ', min(reason), min(description))) as said
  from heller_staging.transactions group by 1
) d;
create index on heller_staging.reasons using hash (words);
analyze heller_staging.reasons;

-- What the rows of each reference come to, in each of the two histories.
create unlogged table heller_staging.tallies as
select s.strict, case when s.strict then coalesce(t.user_ref, '(none)') else coalesce(heller_staging.key(t.user_ref), '(none)') end as ref,
       t.ledger, min(t.user_ref) as written, sum(t.delta) as credits, sum(abs(t.delta)) as moved, count(*) as rows
from heller_staging.transactions t join heller_staging.sources s using (source)
group by 1, 2, 3;
analyze heller_staging.tallies;

-- What a row says of the payment it is of, where it does not name the payment itself.
create unlogged table heller_staging.pointers as
select t.source, t.ledger, t.id, m.found[1] as token, false as is_id
from heller_staging.transactions t,
  regexp_matches(concat_ws(' ', t.metadata, t.reason, t.description, t.event), '\m((?:pi|cs|ch|in)_[A-Za-z0-9_]+)', 'g') m(found)
where (t.metadata ~ '(pi|cs|ch|in)_' or t.reason ~ '(pi|cs|ch|in)_' or t.description ~ '(pi|cs|ch|in)_' or t.event ~ '(pi|cs|ch|in)_')
  and not exists (select from heller_staging.payments p where p.id = t.payment_ref)
union all
select t.source, t.ledger, t.id, m.found[1], true
from heller_staging.transactions t,
  regexp_matches(t.metadata, '"(?:payment_id|paymentId|payment)"\s*:\s*"?([^",}\]\s\\{[]+)', 'g') m(found)
where strpos(t.metadata, '"payment') > 0
  and not exists (select from heller_staging.payments p where p.id = t.payment_ref);
analyze heller_staging.pointers;
