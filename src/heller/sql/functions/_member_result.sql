create or replace function heller._member_result(m heller.members) returns jsonb
language sql stable set search_path = pg_catalog as $$
  select jsonb_build_object('account', (m).account_id, 'unit', (m).unit, 'member', (m).member_id, 'cap', (m).cap, 'period', (m).period,
    'joined_at', (m).joined_at, 'left_at', (m).left_at, 'spent', s.spent, 'left', (m).cap - s.spent)
  from (select coalesce((select spent from heller.member_spending
    where account_id = (m).account_id and unit = (m).unit and member_id = (m).member_id
      and period_start = heller._period_start((m).period, heller._clock())), 0) as spent) s
$$;
comment on function heller._member_result(heller.members) is 'A member with what is spent, and left, of the cap in the current period.';
