create or replace function heller.stripe_take_turn(p_name text, p_every_seconds double precision) returns boolean
language sql security definer set search_path = pg_catalog as $$
  with taken as (
    insert into heller.stripe_marks as m (name, at) values ('turn:' || p_name, clock_timestamp())
    on conflict (name) do update set at = excluded.at where m.at <= clock_timestamp() - make_interval(secs => p_every_seconds)
    returning 1)
  select exists (select from taken)
$$;
comment on function heller.stripe_take_turn(text, double precision) is
  'Whether a periodic job is due, and it is the caller who does it: of many workers one gets true.';
