create or replace function heller.holds_of(
  p_account_id text, p_unit text default 'credit', p_all boolean default false, p_after bigint default null, p_limit integer default null
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._hold_result(row(h.*)::heller.holds) || case when h.state = 'open' and h.expires_at <= heller._clock()
                                        then jsonb_build_object('state', 'expired', 'closed_at', h.expires_at) else '{}' end
  from heller.holds h
  where h.account_id = p_account_id and h.unit = p_unit and h.hold_id > coalesce(p_after, 0)
    and (p_all or (h.state = 'open' and h.expires_at > heller._clock()))
  order by h.hold_id limit case when p_limit is not null then least(greatest(p_limit, 1), 1000) end
$$;
comment on function heller.holds_of(text, text, boolean, bigint, integer) is
  'The open holds of an account; p_all includes closed ones. With p_limit a page of at most 1000; the next one is after the last hold of this one.';
