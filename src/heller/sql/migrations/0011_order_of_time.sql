-- Where a transaction stands in the order of time, so that a period of an account with millions of them is found, not looked for.

alter table heller.accounts add column latest_at timestamptz;
alter table heller.transactions add column filed_at timestamptz;
comment on column heller.accounts.latest_at is 'The latest effective_at of its transactions, without those that lay ahead of their recording.';
comment on column heller.transactions.filed_at is
  'Null where it came in the order of time, as nearly all do. Else the account''s latest_at when it came: it counts earlier than one before it, or lay ahead.';

-- what an older version wrote: a row that stands in order needs no mark, so few rows are touched
do $$
begin
  if not exists (select 1 from heller.transactions) then return; end if;
  alter table heller.transactions disable trigger transactions_append_only;
  update heller.transactions t set filed_at = coalesce(o.latest_at, '-infinity')
  from (select account_id, unit, seq, effective_at, recorded_at,
               max(case when effective_at <= recorded_at then effective_at end) over (
                 partition by account_id, unit order by seq rows between unbounded preceding and 1 preceding) as latest_at
        from heller.transactions) o
  where t.account_id = o.account_id and t.unit = o.unit and t.seq = o.seq and (o.effective_at > o.recorded_at or o.effective_at < o.latest_at);
  alter table heller.transactions enable always trigger transactions_append_only;
  update heller.accounts a set latest_at = o.latest_at
  from (select account_id, unit, max(effective_at) as latest_at from heller.transactions where effective_at <= recorded_at group by account_id, unit) o
  where a.account_id = o.account_id and a.unit = o.unit;
end $$;

-- a spend of now, and nearly every row of a copied history, writes nothing here
create index transactions_filed on heller.transactions (account_id, unit, effective_at, seq) include (delta) where filed_at is not null;

-- lists that come in pages now; what was called without a page is answered as before
drop function if exists heller.grants_of(text, text, boolean);
drop function if exists heller.holds_of(text, text, boolean);
drop function if exists heller.members_of(text, text, boolean);
drop function if exists heller.alerts_of(text, text);
drop function if exists heller.anchors_list(integer);
drop function if exists heller.api_keys_list(boolean);
drop function if exists heller.webhook_endpoints_list();
drop function if exists heller.top_up_attempts_of(text, text, integer);
