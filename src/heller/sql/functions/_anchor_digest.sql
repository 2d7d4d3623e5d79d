create or replace function heller._anchor_digest(p_at timestamptz, out accounts bigint, out transactions bigint, out digest bytea)
language sql stable set search_path = pg_catalog
set client_encoding = 'UTF8'  -- of the digest: record_send speaks the client's
as $$
  select count(*), coalesce(sum(h.seq), 0)::bigint,
         coalesce(heller._chain(record_send(row(a.account_id, a.unit, h.seq, h.hash)) order by a.account_id, a.unit), '')
  from heller.accounts a cross join lateral (
    select t.seq, t.hash from heller.transactions t
    where t.account_id = a.account_id and t.unit = a.unit and t.recorded_at < p_at order by t.seq desc limit 1) h
$$;
comment on function heller._anchor_digest(timestamptz) is
  'SHA-256 chain over account, unit, seq and hash of the newest transaction before an instant, in the order of accounts; accounts without one are left out.';
