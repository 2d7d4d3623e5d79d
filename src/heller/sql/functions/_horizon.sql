create or replace function heller._horizon() returns timestamptz
language plpgsql set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();
  v_snapshot pg_snapshot := pg_current_snapshot();
  h heller.event_horizons;
begin
  -- the newest instant before which every transaction that could have recorded something has ended
  select * into h from heller.event_horizons where xid <= pg_snapshot_xmin(v_snapshot) and at <= v_now order by xid desc limit 1;
  insert into heller.event_horizons (xid, at) values (pg_snapshot_xmax(v_snapshot), v_now) on conflict do nothing;
  delete from heller.event_horizons where xid < h.xid or xid > pg_snapshot_xmax(v_snapshot);  -- the latter came with a restored backup
  -- a clock may be set back a little
  return h.at - interval '1 second';
end $$;
comment on function heller._horizon() is
  'An instant before which nothing more will be recorded, although transactions commit in another order than they record; null at the first call. Lags behind by the time between two calls, and by the oldest open transaction.';
