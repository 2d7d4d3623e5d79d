create or replace function heller.anchors_list(p_limit integer default 100) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._anchor_result(n) from heller.anchors n order by n.at desc limit least(greatest(p_limit, 1), 1000)
$$;
comment on function heller.anchors_list(integer) is 'The anchors, newest first.';
