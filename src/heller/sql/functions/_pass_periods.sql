create or replace function heller._pass_periods(a heller.accounts, p_at timestamptz) returns void
language plpgsql set search_path = pg_catalog as $$
declare
  r heller.recurring_grants;
begin
  for r in
    select * from heller.recurring_grants
    where account_id = a.account_id and unit = a.unit and next_at <= p_at and next_at < coalesce(ends_at, 'infinity')
  loop
    r.next_number := heller._period_number(r.anchor, r.time_zone, r.period, least(p_at, r.ends_at - interval '1 microsecond')) + 1;
    r.next_at := heller._period_boundary(r.anchor, r.time_zone, r.period, r.next_number);
    update heller.recurring_grants set next_number = r.next_number, next_at = r.next_at, given_until = r.next_at
    where account_id = a.account_id and unit = a.unit and name = r.name;
  end loop;
end $$;
comment on function heller._pass_periods(heller.accounts, timestamptz) is
  'Moves the recurring grants of a locked account behind the periods that have begun by an instant.';
