create or replace function heller._anchor_result(n heller.anchors) returns jsonb
language sql stable set search_path = pg_catalog set timezone = 'UTC' as $$
  select jsonb_build_object('at', (n).at, 'accounts', (n).accounts, 'transactions', (n).transactions, 'digest', encode((n).digest, 'hex'),
    'taken_at', (n).taken_at)
$$;
comment on function heller._anchor_result(heller.anchors) is 'An anchor, to be kept elsewhere.';
