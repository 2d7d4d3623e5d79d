create or replace function heller.quarantine_home(p_account_id text, p_reason text, p_system text default 'legacy') returns void
language sql security definer set search_path = pg_catalog as $$
  insert into heller.homes as h (account_id, source_system, quarantined_at, quarantine_reason)
  values (p_account_id, p_system, clock_timestamp(), left(p_reason, 2000))
  on conflict (account_id) do update set quarantined_at = coalesce(h.quarantined_at, excluded.quarantined_at),
    quarantine_reason = excluded.quarantine_reason, changed_at = excluded.changed_at
$$;
comment on function heller.quarantine_home(text, text, text) is
  'Notes why a user stays between the homes. The next move that succeeds clears it.';
