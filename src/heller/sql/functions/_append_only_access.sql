create or replace trigger audit_log_append_only before update or delete on heller.audit_log
  for each row execute function heller._append_only();
create or replace trigger audit_log_no_truncate before truncate on heller.audit_log
  for each statement execute function heller._append_only();
alter table heller.audit_log enable always trigger audit_log_append_only;
alter table heller.audit_log enable always trigger audit_log_no_truncate;
