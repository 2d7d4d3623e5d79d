create or replace function heller.grants_of(
  p_account_id text, p_unit text default 'credit', p_all boolean default false, p_after bigint default null, p_limit integer default null
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  b heller.grants;
begin
  if p_after is not null then
    select g.* into b from heller.accounts a, lateral heller._grants_known(row(a.*)::heller.accounts) g
    where a.account_id = p_account_id and a.unit = p_unit and g.grant_id = p_after;
    if not found then
      perform heller._fail('HL001', format('after is %s, which is no grant of %s', p_after, p_account_id), '{"argument": "after"}');
    end if;
  end if;
  return query
    with now_left as materialized (
      select f.grant_id, f.remaining from heller.accounts a, lateral heller._grants_at(row(a.*)::heller.accounts, heller._clock()) f
      where a.account_id = p_account_id and a.unit = p_unit
    )
    select heller._grant_result(row(g.*)::heller.grants) || jsonb_build_object(
             'remaining', coalesce(n.remaining, 0),
             'scheduled', g.seq is null and n.grant_id is null and g.ended_at is null,
             'ended_at', coalesce(g.ended_at, case when g.expires_at <= heller._clock() then g.expires_at end))
    from heller.accounts a, lateral heller._grants_known(row(a.*)::heller.accounts) g left join now_left n using (grant_id)
    where a.account_id = p_account_id and a.unit = p_unit
      and (p_all or n.remaining > 0 or (g.seq is null and n.grant_id is null and g.ended_at is null))
      and (p_after is null or (g.priority, coalesce(g.expires_at, 'infinity'), g.source <> 'promotion', g.grant_id)
                            > (b.priority, coalesce(b.expires_at, 'infinity'), b.source <> 'promotion', b.grant_id))
    order by g.priority, g.expires_at nulls last, (g.source = 'promotion') desc, g.grant_id
    limit case when p_limit is not null then least(greatest(p_limit, 1), 1000) end;
end $$;
comment on function heller.grants_of(text, text, boolean, bigint, integer) is
  'The grants of an account in burn-down order with what remains of each now; p_all includes used up and ended ones. With p_limit a page of at most 1000; the next one is after the last grant of this one.';
