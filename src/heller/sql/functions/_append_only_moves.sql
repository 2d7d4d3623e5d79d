create or replace trigger statements_append_only before update or delete on heller.statements
  for each row execute function heller._append_only();
create or replace trigger statements_no_truncate before truncate on heller.statements
  for each statement execute function heller._append_only();
create or replace trigger receipts_append_only before update or delete on heller.receipts
  for each row execute function heller._append_only();
create or replace trigger receipts_no_truncate before truncate on heller.receipts
  for each statement execute function heller._append_only();
create or replace trigger rollout_log_append_only before update or delete on heller.rollout_log
  for each row execute function heller._append_only();
alter table heller.statements enable always trigger statements_append_only;
alter table heller.statements enable always trigger statements_no_truncate;
alter table heller.receipts enable always trigger receipts_append_only;
alter table heller.receipts enable always trigger receipts_no_truncate;
alter table heller.rollout_log enable always trigger rollout_log_append_only;
