create or replace function heller.team_spending(
  p_account_id text, p_from timestamptz default null, p_until timestamptz default null, p_unit text default 'credit'
) returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select heller._check_period(p_from, p_until);
  select jsonb_build_object('member', s.member, 'spent', s.spent, 'refunded', s.refunded, 'count', s.n)
  from (select case t.kind when 'spend' then t.actor else o.actor end as member, coalesce(-sum(t.delta) filter (where t.kind = 'spend'), 0) as spent,
               coalesce(sum(t.delta) filter (where t.kind = 'refund'), 0) as refunded, count(*) filter (where t.kind = 'spend') as n
        from heller._counting_between(p_account_id, p_unit, p_from, p_until) t
        left join heller.transactions o on t.kind = 'refund' and o.account_id = t.account_id and o.unit = t.unit and o.seq = t.related_seq
        where t.kind in ('spend', 'refund')
        group by 1) s
  order by s.spent desc, s.member
$$;
comment on function heller.team_spending(text, timestamptz, timestamptz, text) is
  'Who spent what of an account in a period, by actor, the largest first; a refund counts against who had spent. A null member: nobody was named.';
