-- A role that may read a legacy database and nothing else: enough for 'heller migrate audit', 'backup', 'copy' and 'verify'.
--
--   psql -v reader_password=... -f roles-legacy.sql "$LEGACY_ADMIN_URL"
--
-- The fence and the handover write to the legacy tables and put triggers on them: they need the role that owns the tables.
\set ON_ERROR_STOP on
\if :{?reader} \else \set reader heller_reader \endif
begin;
set local client_min_messages = warning;
select format('create role %I', :'reader') where not exists (select from pg_roles where rolname = :'reader') \gexec
alter role :"reader" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'reader_password';
alter role :"reader" set default_transaction_read_only = on;
select format('grant connect on database %I to %I', current_database(), :'reader') \gexec
select format('grant usage on schema %I to %I', nspname, :'reader') from pg_namespace
 where nspname !~ '^pg_' and nspname not in ('information_schema', 'heller_fence') \gexec
select format('grant select on all tables in schema %I to %I', nspname, :'reader') from pg_namespace
 where nspname !~ '^pg_' and nspname not in ('information_schema', 'heller_fence') \gexec
commit;
