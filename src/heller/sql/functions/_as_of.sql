create or replace function heller._as_of(a heller.accounts, p_at timestamptz, out posted bigint, out held bigint)
language sql stable set search_path = pg_catalog as $$
  select (a).posted
         + coalesce((select sum(g.amount) from heller.grants g
                     where g.account_id = (a).account_id and g.unit = (a).unit and g.seq is null and g.ended_at is null and g.available_at <= p_at), 0)::bigint
         + coalesce((select sum(d.amount) from heller._recurring_due(a, p_at) d), 0)::bigint
         - coalesce((select sum(g.forfeit) from heller._grants_at(a, p_at) g), 0)::bigint,
         (a).held - coalesce((select sum(greatest(h.amount - h.captured, 0)) from heller.holds h
                              where h.account_id = (a).account_id and h.unit = (a).unit and h.state = 'open' and h.expires_at <= p_at), 0)::bigint
$$;
comment on function heller._as_of(heller.accounts, timestamptz) is
  'posted and held as they will be once what is due by an instant is done. Reads only; _run_due does it.';
