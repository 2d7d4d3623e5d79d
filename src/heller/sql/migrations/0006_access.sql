-- Who may ask over HTTP, how often, and what was done by whom.

create table heller.api_keys (
  key_id text collate "C" not null,
  name text not null,
  secret_hash bytea not null,
  role text collate "C" not null,
  scopes text[] not null,
  rate_per_minute integer,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  revoked_by text,
  constraint api_keys_pkey primary key (key_id),
  constraint api_keys_name_length check (length(name) between 1 and 200),
  constraint api_keys_role_known check (role in ('support', 'operator', 'admin')),
  constraint api_keys_scopes_some check (cardinality(scopes) > 0),
  constraint api_keys_rate_positive check (rate_per_minute > 0),
  constraint api_keys_revoked_by_somebody check ((revoked_at is null) = (revoked_by is null))
);
comment on table heller.api_keys is 'What programs show: the id is public, of the secret only its SHA-256 is kept.';
comment on column heller.api_keys.rate_per_minute is 'Requests a minute; null is no limit.';
comment on column heller.api_keys.last_used_at is 'To the minute.';

create table heller.audit_log (
  entry bigint generated always as identity,
  at timestamptz not null default clock_timestamp(),
  actor text collate "C" not null,
  via text collate "C" not null,
  action text collate "C" not null,
  target text collate "C" not null,
  detail jsonb not null default '{}',
  request_id text collate "C",
  constraint audit_log_pkey primary key (entry)
);
create index audit_log_actor on heller.audit_log (actor, entry);
create index audit_log_target on heller.audit_log (target, entry);
comment on table heller.audit_log is 'Who did what over HTTP, append-only, written in the transaction of what was done. Spends and holds have their actor in the ledger itself.';
comment on column heller.audit_log.action is 'What was done, as noun.verb: account.freeze, grant.create, delivery.retry.';
comment on column heller.audit_log.target is 'To what: the id of the account, delivery, key, ...';

create table heller.portal_sessions (
  secret_hash bytea not null,
  user_id text collate "C" not null,
  path text not null,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  used_at timestamptz,
  constraint portal_sessions_pkey primary key (secret_hash),
  constraint portal_sessions_path_local check (path like '/%')
);
create index portal_sessions_expiry on heller.portal_sessions (expires_at);
comment on table heller.portal_sessions is 'Links that sign a customer into the portal, once each; an application makes them for its own users.';

create unlogged table heller.rate_limits (
  bucket text collate "C" not null,
  empty_at timestamptz not null,
  constraint rate_limits_pkey primary key (bucket)
) with (fillfactor = 50);
create index rate_limits_expiry on heller.rate_limits (empty_at);
comment on table heller.rate_limits is 'How full each bucket of requests is. Unlogged: after a crash everybody begins anew.';
comment on column heller.rate_limits.empty_at is 'When what was taken has drained away; a minute ahead is full.';
