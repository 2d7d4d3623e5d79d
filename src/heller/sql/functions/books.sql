create or replace function heller.books(p_age_max_seconds integer default 60) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  f heller.book_figures;
  v_started timestamptz := clock_timestamp();
  v_figures jsonb;
begin
  select * into f from heller.book_figures where name = 'books';
  if found and f.taken_at + greatest(make_interval(secs => p_age_max_seconds), f.milliseconds * interval '20 milliseconds') > v_started then
    return heller._books_result(f);
  elsif not pg_try_advisory_xact_lock(7401007) and f.name is not null then  -- somebody else is counting
    return heller._books_result(f);
  end if;
  select heller.trial_balance() || jsonb_build_object(
    'accounts', coalesce((select jsonb_object_agg(unit, jsonb_build_object('accounts', n, 'owed', owed, 'debt', debt, 'held', held, 'frozen', frozen)) from (
      select unit, count(*) as n, coalesce(sum(posted) filter (where posted > 0), 0) as owed, coalesce(-sum(posted) filter (where posted < 0), 0) as debt,
             sum(held) as held, count(*) filter (where frozen_at is not null) as frozen
      from heller.accounts group by unit) x), '{}'),
    'deferred', coalesce((select jsonb_object_agg(currency, amount) from (
      select upper(r ->> 'currency') as currency, sum((r ->> 'deferred_after')::bigint) as amount from heller.revenue(v_started, v_started) r group by 1) x), '{}'))
  into v_figures;
  insert into heller.book_figures (name, figures, taken_at, milliseconds)
  values ('books', v_figures, v_started, extract(epoch from clock_timestamp() - v_started) * 1000)
  on conflict (name) do update set figures = excluded.figures, taken_at = excluded.taken_at, milliseconds = excluded.milliseconds
  returning * into f;
  return heller._books_result(f);
end $$;
comment on function heller.books(integer) is
  'The trial balance, the credits owed to accounts (liabilities), the debt they owe, what is held, and deferred revenue per currency, over all accounts. Counted anew when older than asked for and than twenty times what counting takes; taken_at says when.';
