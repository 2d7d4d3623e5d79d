create or replace function heller.anchors_list(p_limit integer default 100, p_before timestamptz default null) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._anchor_result(n) from heller.anchors n where p_before is null or n.at < p_before
  order by n.at desc limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.anchors_list(integer, timestamptz) is
  'The anchors, newest first, at most 1000 a call; the next page is before the last instant of this one.';
