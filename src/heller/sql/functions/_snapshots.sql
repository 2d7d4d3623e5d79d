create or replace function heller._snapshots() returns table (server integer, snapshot pg_snapshot, at timestamptz)
language plpgsql set search_path = pg_catalog as $$
begin
  -- before the snapshot, so that whatever is not in it reads the clock later; a stricter isolation may have taken its snapshot long ago
  at := least(heller._clock(), case when current_setting('transaction_isolation') <> 'read committed' then now() end);
  return query select 0, pg_current_snapshot(), at;
end $$;
comment on function heller._snapshots() is
  'Of each server with accounts: what has ended there, and an instant that no clock of theirs had passed before. On a cluster the servers are asked.';
