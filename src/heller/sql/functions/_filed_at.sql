create or replace function heller._filed_at(p_latest_at timestamptz, p_effective_at timestamptz, p_recorded_at timestamptz) returns timestamptz
language sql immutable parallel safe set search_path = pg_catalog as $$
  select case when p_effective_at > p_recorded_at or p_effective_at < p_latest_at then coalesce(p_latest_at, '-infinity') end
$$;
comment on function heller._filed_at(timestamptz, timestamptz, timestamptz) is
  'Where a transaction stands that does not come in the order of time; null for one that does. coalesce(filed_at, effective_at) never falls with seq, whatever the clock did.';
