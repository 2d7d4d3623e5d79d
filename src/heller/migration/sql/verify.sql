-- The source read afresh against what heller holds, row by row and account by account. Nothing of the copy is used:
-- not its entries, not its keys, not its openings.
create unlogged table heller_staging.mismatches (account text, what text, source text, target text);

create unlogged table heller_staging.expected as
select s.label, t.id, o.account, t.delta, t.created_at as at,
       md5(concat_ws(': ', nullif(btrim(t.reason), ''), nullif(btrim(t.description), ''))) as reason_digest,
       j.outcome, j.account_id as outcome_account, j.into_table, j.into_id
from heller_staging.transactions t
join heller_staging.sources s using (source)
join heller_staging.owners o on o.strict = s.strict
  and o.ref = case when s.strict then coalesce(t.user_ref, '(none)') else coalesce(heller_staging.key(t.user_ref), '(none)') end
left join (  -- ids that several rows have: the first is carried, what was set aside are the others
  select distinct source, id from heller_staging.quarantine where reason = 'another row of the same table has the same id'
) r on r.source = t.source and r.id = t.id and o.account is not null
left join heller.migration_outcomes j on j.source_system = {system} and j.source_table = s.label and j.source_id = t.id
  and (r.id is null or j.outcome = 'merged');
analyze heller_staging.expected;

create unlogged table heller_staging.actual as
select account_id as account, source_table as label, source_id as id, delta, effective_at as at, md5(reason) as reason_digest
from heller.transactions where source_system = {system};
analyze heller_staging.actual;

-- Row by row: there exactly once, in the right account, with the same change, time and reason; and nothing that has no source.
insert into heller_staging.mismatches
select coalesce(x.account, y.account), coalesce(x.label, y.label) || ' ' || coalesce(x.id, y.id) || ': ' || d.what, d.source, d.target
from (select * from heller_staging.expected where outcome is null) x
full join (
  select * from heller_staging.actual where label in (select label from heller_staging.sources where part in ('transactions', 'ledger'))
) y on y.label = x.label and y.id = x.id
cross join lateral (values
  ('row', case when x.id is null then 'no such row' else 'one row' end, case when y.id is null then 'no such row' else 'one row' end),
  ('account', x.account, y.account),
  ('delta', x.delta::text, y.delta::text),
  ('time', coalesce(x.at, y.at)::text, y.at::text),
  ('reason', x.reason_digest, y.reason_digest)
) d (what, source, target)
where (x.id is null or y.id is null or x.account is distinct from y.account or x.delta <> y.delta or x.at <> y.at or x.reason_digest <> y.reason_digest)
  and d.source is distinct from d.target and (d.what = 'row' or (x.id is not null and y.id is not null));

insert into heller_staging.mismatches
select min(account), label || ' ' || id || ': rows', '1', count(*)::text
from heller_staging.actual group by label, id having count(*) > 1;

-- A merged row's event is in the transaction it was merged into, in the same account.
insert into heller_staging.mismatches
select x.account, x.label || ' ' || x.id || ': merged into', x.into_table || ' ' || x.into_id, coalesce(y.account, 'no such row')
from heller_staging.expected x
left join heller_staging.actual y on y.label = x.into_table and y.id = x.into_id
where x.outcome = 'merged' and (y.id is null or y.account is distinct from x.outcome_account);

-- Rows that the tidying set aside have an outcome with a reason.
insert into heller_staging.mismatches
select null, s.label || ' ' || q.id || ': outcome', q.reason, 'none'
from heller_staging.quarantine q join heller_staging.sources s using (source)
where not exists (select from heller.migration_outcomes j where j.source_system = {system} and j.source_table = s.label and j.source_id = q.id);

insert into heller_staging.mismatches
select h.account, 'user ' || h.user_id || ': account', 'one account', 'no such account'
from heller_staging.homes h
where not exists (select from heller.accounts a where a.account_id = h.account and a.unit = 'credit');

-- A name that one user has identifies that user here.
insert into heller_staging.mismatches
select h.account, n.kind || ' ' || n.name || ': user', h.account, coalesce(i.user_id, 'no such name')
from (select kind, name, min(user_id) as user_id from heller_staging.names group by kind, name having count(distinct user_id) = 1) n
join heller_staging.homes h on h.user_id = n.user_id
left join heller.identities i on i.kind = n.kind and i.name = n.name
where i.user_id is distinct from h.account and length(n.name) <= 320
  and not exists (select from heller.users u where u.id = h.account and u.erased_at is not null);  -- forgotten on purpose

insert into heller_staging.mismatches
select w.account, s.label || ' ' || f.id || ': ' || d.what, d.source, d.target
from heller_staging.facts f
join heller_staging.sources s using (source)
join lateral (
  select coalesce((select h.account from heller_staging.homes h where h.user_id = f.user_id),
                  (select o.account from heller_staging.owners o where o.strict = f.strict and o.ref = f.ref)) as account
) w on true
left join heller.payments p on p.source_system = {system} and p.source_table = s.label and p.source_id = f.id
left join heller.migration_outcomes j on j.source_system = {system} and j.source_table = s.label and j.source_id = f.id
cross join lateral (values
  ('payment', 'one payment', case when p.payment_key is null then 'no such payment' else 'one payment' end),
  ('account', w.account, coalesce(p.account_id, w.account)),
  ('amount', f.amount::text, case when p.payment_key is null then f.amount::text else p.amount::text end),
  ('currency', f.currency, case when p.payment_key is null then f.currency else p.currency end)
) d (what, source, target)
where j.outcome is null and d.source is distinct from d.target;

-- Account by account: what is owed, and the history's count, sum, first and last row.
insert into heller_staging.mismatches
select coalesce(x.account, y.account), d.what, d.source, d.target
from (
  select a.account, a.target, coalesce(e.rows, 0) as rows, coalesce(e.credits, 0) as credits, e.first_at, e.last_at
  from heller_staging.accounts a
  left join (
    select account, count(*) as rows, sum(delta)::bigint as credits, min(at) as first_at, max(at) as last_at
    from heller_staging.expected where outcome is null group by account
  ) e using (account)
) x
full join (
  select account, sum(delta)::bigint as balance, count(*) filter (where is_record) as rows,
         coalesce(sum(delta) filter (where is_record), 0)::bigint as credits,
         min(at) filter (where is_record) as first_at, max(at) filter (where is_record) as last_at
  from (select a.*, label not in ('opening', 'decision') as is_record from heller_staging.actual a) z group by account
) y using (account)
cross join lateral (values
  ('balance', coalesce(x.target, 0)::text, coalesce(y.balance, 0)::text),
  ('rows', coalesce(x.rows, 0)::text, coalesce(y.rows, 0)::text),
  ('sum of rows', coalesce(x.credits, 0)::text, coalesce(y.credits, 0)::text),
  ('first row', coalesce(x.first_at, y.first_at)::text, case when {without_times} then greatest(x.first_at, y.first_at) else y.first_at end::text),
  ('last row', coalesce(x.last_at, y.last_at)::text, case when x.last_at is null or {without_times} then coalesce(x.last_at, y.last_at) else y.last_at end::text)
) d (what, source, target)
where d.source is distinct from d.target;
