create or replace function heller._append_only() returns trigger
language plpgsql set search_path = pg_catalog as $$
begin
  raise exception 'rows of %.% are never changed or removed', tg_table_schema, tg_table_name
    using errcode = 'HL015', hint = 'Correct a mistake with a new transaction (refund, adjust).';
end $$;
comment on function heller._append_only() is 'Refuses UPDATE, DELETE and TRUNCATE, whoever asks.';

create or replace trigger transactions_append_only before update or delete on heller.transactions
  for each row execute function heller._append_only();
create or replace trigger transactions_no_truncate before truncate on heller.transactions
  for each statement execute function heller._append_only();
create or replace trigger draws_append_only before update or delete on heller.draws
  for each row execute function heller._append_only();
create or replace trigger draws_no_truncate before truncate on heller.draws
  for each statement execute function heller._append_only();
create or replace trigger outcomes_append_only before update or delete on heller.outcomes
  for each row execute function heller._append_only();
create or replace trigger outcomes_no_truncate before truncate on heller.outcomes
  for each statement execute function heller._append_only();
alter table heller.transactions enable always trigger transactions_append_only;
alter table heller.transactions enable always trigger transactions_no_truncate;
alter table heller.draws enable always trigger draws_append_only;
alter table heller.draws enable always trigger draws_no_truncate;
alter table heller.outcomes enable always trigger outcomes_append_only;
alter table heller.outcomes enable always trigger outcomes_no_truncate;
