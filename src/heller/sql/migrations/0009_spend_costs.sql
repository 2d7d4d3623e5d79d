-- What a spend costs beyond its own rows.

-- Keys are mostly made in the order of time, so by key first a new one goes to the end of the index, which is in memory;
-- by account first every spend touches, and often logs whole, one more page of its own. Both find a key of an account.
drop index heller.transactions_idempotency_key;
create unique index transactions_idempotency_key on heller.transactions (idempotency_key, account_id)
  where idempotency_key is not null;

-- A check is evaluated at each update of the row, and a pattern costs a microsecond.
alter table heller.accounts drop constraint accounts_unit_format;
alter table heller.accounts add constraint accounts_unit_format check (unit = 'credit' or unit ~ '^[a-z][a-z0-9_-]{0,39}$');

drop function if exists heller._is_plain(bigint, text, text, text, jsonb);
