create or replace function heller.usage_report(
  p_from timestamptz, p_until timestamptz, p_by text default 'feature', p_per text default null, p_unit text default 'credit',
  p_zone text default 'UTC', p_names integer default 100
) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  v_key text := substring(p_by from '^metadata\.(.{1,100})$');
begin
  if p_by is null or v_key is null and p_by not in ('feature', 'reason', 'account') then
    perform heller._fail('HL001', format('by %s is not feature, reason, account or metadata.NAME', p_by), '{"argument": "by"}');
  elsif p_per not in ('day', 'week', 'month', 'year') then
    perform heller._fail('HL001', format('per %s is not day, week, month or year', p_per), '{"argument": "per"}');
  end if;
  perform heller._check_period(p_from, p_until), heller._check_time_zone('zone', p_zone);
  return query
    with used as (  -- a refund is of what it refunds
      select t.kind, t.delta, t.recorded_at, t.account_id, case when o.seq is null then t.reason else o.reason end as reason,
             case when o.seq is null then t.metadata else o.metadata end as metadata
      from heller.transactions t
      left join heller.transactions o on t.kind = 'refund' and o.account_id = t.account_id and o.unit = t.unit and o.seq = t.related_seq
      where t.recorded_at >= p_from and t.recorded_at < p_until and t.unit = p_unit and t.kind in ('spend', 'refund') and t.source_system is null
    ), figures as materialized (  -- few rows, whatever was spent
      select date_trunc(p_per, u.recorded_at at time zone p_zone)::date as begin,
             coalesce(case p_by when 'account' then u.account_id when 'reason' then u.reason
                      when 'feature' then coalesce(u.metadata ->> 'feature', u.reason) else u.metadata ->> v_key end, '') as name,
             coalesce(-sum(u.delta) filter (where u.kind = 'spend'), 0) as spent,
             coalesce(sum(u.delta) filter (where u.kind = 'refund'), 0) as refunded,
             count(*) filter (where u.kind = 'spend') as n, count(distinct u.account_id) as accounts
      from used u group by 1, 2
    ), ranked as (
      select f.name, row_number() over (order by sum(f.spent) - sum(f.refunded) desc, f.name) <= p_names as is_named from figures f group by f.name
    )
    select jsonb_build_object('begin', f.begin, 'name', case when r.is_named then f.name end, 'spent', sum(f.spent), 'refunded', sum(f.refunded),
                              'count', sum(f.n), 'accounts', case when r.is_named then sum(f.accounts) end)
    from figures f join ranked r using (name)
    group by f.begin, r.is_named, case when r.is_named then f.name end
    order by f.begin, r.is_named desc, sum(f.spent) - sum(f.refunded) desc, case when r.is_named then f.name end;
end $$;
comment on function heller.usage_report(timestamptz, timestamptz, text, text, text, text, integer) is
  'What all accounts spent in a period, by feature (metadata.feature, else the reason), reason, account or any metadata, in total or per day, week, month or year of a time zone; by recording time, so that a closed period never changes. A refund counts when it was recorded, against what it refunds. The p_names largest are named, the others come together as null; an empty name is no such thing. What was copied from a legacy system is not counted.';
