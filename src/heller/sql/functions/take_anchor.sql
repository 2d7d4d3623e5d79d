create or replace function heller.take_anchor() returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_at timestamptz := heller._horizon();
  n heller.anchors;
begin
  if v_at is null then return null; end if;
  insert into heller.anchors (at, accounts, transactions, digest, taken_at)
  select v_at, d.accounts, d.transactions, d.digest, heller._clock() from heller._anchor_digest(v_at) d
  on conflict do nothing;
  select * into n from heller.anchors where at = v_at;
  return heller._anchor_result(n);
end $$;
comment on function heller.take_anchor() is
  'Writes down a digest over the heads of all chains as of an instant before which nothing more will be recorded. null at the very first call: call again.';
