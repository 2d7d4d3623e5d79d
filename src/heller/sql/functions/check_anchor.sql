create or replace function heller.check_anchor(p_anchor jsonb) returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select jsonb_build_object('at', p_anchor -> 'at', 'ok', encode(d.digest, 'hex') = p_anchor ->> 'digest'
           and d.accounts = (p_anchor ->> 'accounts')::bigint and d.transactions = (p_anchor ->> 'transactions')::bigint,
         'accounts', d.accounts, 'transactions', d.transactions, 'digest', encode(d.digest, 'hex'))
  from heller._anchor_digest((p_anchor ->> 'at')::timestamptz) d
$$;
comment on function heller.check_anchor(jsonb) is 'Whether the chains still have the heads they had when an anchor, kept elsewhere, was taken.';
