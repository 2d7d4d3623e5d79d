create or replace function heller.stripe_resume_top_up(p_account_id text, p_unit text default 'credit') returns timestamptz
language sql security definer set search_path = pg_catalog as $$
  select heller.stripe_mark('top_up_resumed:' || p_account_id || ':' || p_unit, clock_timestamp())
$$;
comment on function heller.stripe_resume_top_up(text, text) is 'Ends the pause after failed top-ups: earlier failures no longer count.';
