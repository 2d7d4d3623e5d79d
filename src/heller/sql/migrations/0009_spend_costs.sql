-- What a spend costs beyond its own rows.

-- Keys are mostly made in the order of time, so by key first a new one goes to the end of the index, which is in memory;
-- by account first every spend touches, and often logs whole, one more page of its own. Both find a key of an account.
drop index heller.transactions_idempotency_key;
create unique index transactions_idempotency_key on heller.transactions (idempotency_key, account_id)
  where idempotency_key is not null;

-- One account may have half of all transactions while the average has one or two. The planner knows the average only, takes the primary key
-- for as good as the index of keys, and then every spend of the large account reads its whole history. So each account counts as a hundred rows.
alter table heller.transactions alter column account_id set (n_distinct = -0.01);
alter table heller.grants alter column account_id set (n_distinct = -0.01);
alter table heller.holds alter column account_id set (n_distinct = -0.01);

-- Few rows are ever changed here, so vacuum has little to do; often, it keeps the statistics young and the BRIN index whole.
-- (BRIN's own autosummarize writes a line to the server's log for each range it cannot queue: thousands under load.)
alter table heller.transactions set (autovacuum_vacuum_insert_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- A check is evaluated at each update of the row, and a pattern costs a microsecond.
alter table heller.accounts drop constraint accounts_unit_format;
alter table heller.accounts add constraint accounts_unit_format check (unit = 'credit' or unit ~ '^[a-z][a-z0-9_-]{0,39}$');

drop function if exists heller._is_plain(bigint, text, text, text, jsonb);
