create or replace function heller.home_counts() returns jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select jsonb_build_object(
    'heller', count(*) filter (where a.epoch % 2 = 1 and h.quarantined_at is null),
    'legacy', count(*) filter (where a.epoch % 2 = 0 and (a.epoch = 0 or h.returned_at is not null) and h.quarantined_at is null),
    'moving', count(*) filter (where a.epoch % 2 = 0 and a.epoch > 0 and h.returned_at is null and h.quarantined_at is null),
    'quarantined', count(*) filter (where h.quarantined_at is not null))
  from heller.accounts a left join heller.homes h on h.account_id = a.account_id
  where a.epoch is not null and a.unit = 'credit'
$$;
comment on function heller.home_counts() is
  'How many accounts that have another home live where, as this side knows it. Users of the legacy database that were never copied are not known here.';
