create or replace function heller._horizon() returns timestamptz
language plpgsql set search_path = pg_catalog as $$
declare
  v_now timestamptz := heller._clock();
  v_horizon timestamptz := 'infinity';
  s record;
  h heller.event_horizons;
begin
  for s in select * from heller._snapshots() order by server loop
    -- the newest instant before which every transaction that could have recorded something there has ended
    select * into h from heller.event_horizons
    where server = s.server and xid <= pg_snapshot_xmin(s.snapshot) and at <= v_now order by xid desc limit 1;
    insert into heller.event_horizons as e (server, xid, at) values (s.server, pg_snapshot_xmax(s.snapshot), s.at)
    on conflict on constraint event_horizons_pkey do update set at = excluded.at where e.at < excluded.at;  -- nothing was written there meanwhile
    delete from heller.event_horizons where (server, xid) in (
      select server, xid from heller.event_horizons  -- those above came with a restored backup
      where server = s.server and (xid < h.xid or xid > pg_snapshot_xmax(s.snapshot)) for update skip locked);
    v_horizon := case when h.at < v_horizon then h.at when h.at is null then null else v_horizon end;
  end loop;
  -- a clock may be set back a little
  return v_horizon - interval '1 second';
end $$;
comment on function heller._horizon() is
  'An instant before which nothing more will be recorded, although transactions commit in another order than they record; null at the first call. Lags behind by the time between two calls, and by the oldest open transaction.';
