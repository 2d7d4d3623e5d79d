create or replace view heller.identity_log as
  select kind, name, user_id, created_at from heller.identities;
comment on view heller.identity_log is 'Every name of every user.';
