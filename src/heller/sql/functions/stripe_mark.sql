create or replace function heller.stripe_mark(p_name text, p_at timestamptz default null) returns timestamptz
language plpgsql security definer set search_path = pg_catalog as $$
begin
  if p_at is not null then
    insert into heller.stripe_marks as m (name, at) values (p_name, p_at)
    on conflict (name) do update set at = greatest(m.at, excluded.at);
  end if;
  return (select at from heller.stripe_marks where name = p_name);
end $$;
comment on function heller.stripe_mark(text, timestamptz) is 'Reads a mark, and moves it forward when an instant is given.';
