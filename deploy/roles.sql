-- The roles of heller, each with no more than it needs. Run it as a superuser (or the host's admin role) on heller's database:
--
--   psql -v owner_password=... -v web_password=... -v worker_password=... -v reports_password=... -f roles.sql "$ADMIN_URL"
--
-- Run it again after each 'heller schema apply' of a new version: reports then reads the new views too.
-- Names can be changed: -v owner=... -v web=... -v worker=... -v reports=...
--
--   heller_owner    owns the schema: 'heller schema apply', migration, handover, a worker that serves a rollout
--   heller_app      no login: may call the functions and read the views (granted by 'heller schema apply')
--   heller_web      'heller serve' and your application
--   heller_worker   'heller worker' without a rollout
--   heller_reports  reads the views, for reports and replicas; changes nothing
\set ON_ERROR_STOP on
\if :{?owner} \else \set owner heller_owner \endif
\if :{?web} \else \set web heller_web \endif
\if :{?worker} \else \set worker heller_worker \endif
\if :{?reports} \else \set reports heller_reports \endif

begin;
set local client_min_messages = warning;
select format('create role %I', name) from unnest(array[:'owner', 'heller_app', :'web', :'worker', :'reports']) name
 where not exists (select from pg_roles where rolname = name) \gexec
alter role :"owner" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'owner_password';
alter role heller_app nologin;
alter role :"web" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'web_password';
alter role :"worker" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'worker_password';
alter role :"reports" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'reports_password';
grant heller_app to :"web", :"worker";

-- Nobody else gets in; the owner may make the schema.
select format('revoke all on database %I from public', current_database()) \gexec
select format('grant connect on database %I to %I, %I, %I, %I', current_database(), :'owner', :'web', :'worker', :'reports') \gexec
select format('grant create, temporary on database %I to %I', current_database(), :'owner') \gexec

-- What behind a pooler in transaction mode cannot be set by the connection.
alter role :"web" set statement_timeout = '30s';
alter role :"web" set lock_timeout = '10s';
alter role :"web" set idle_in_transaction_session_timeout = '60s';
alter role :"worker" set statement_timeout = '30s';
alter role :"worker" set lock_timeout = '10s';
alter role :"worker" set idle_in_transaction_session_timeout = '60s';
alter role :"reports" set default_transaction_read_only = on;

-- Views exist once the schema does.
select format('grant usage on schema heller to %I', :'reports') where to_regnamespace('heller') is not null \gexec
select format('grant select on heller.%I to %I', c.relname, :'reports')
  from pg_class c where c.relnamespace = to_regnamespace('heller') and c.relkind = 'v' \gexec
commit;
