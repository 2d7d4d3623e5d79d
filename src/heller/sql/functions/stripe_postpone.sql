create or replace function heller.stripe_postpone(
  p_inbox_ids jsonb, p_error text, p_counts boolean default true, p_attempts_max integer default 12,
  p_delay_seconds double precision default 5, p_delay_seconds_max double precision default 3600
) returns integer
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_count integer;
begin
  update heller.inbox set
    attempts = attempts - case when p_counts then 0 else 1 end,
    postponed = postponed + case when p_counts then 0 else 1 end,
    status = case when p_counts and attempts >= p_attempts_max then 'dead' else 'pending' end,
    reason = case when p_counts and attempts >= p_attempts_max then 'attempts' end,
    closed_at = case when p_counts and attempts >= p_attempts_max then clock_timestamp() end,
    detail = left(p_error, 2000),
    due_at = clock_timestamp() + make_interval(secs => least(p_delay_seconds_max, p_delay_seconds * power(2, least(attempts + postponed - 1, 20)))
                                                       * (0.8 + 0.4 * random()))
  where inbox_id in (select value::bigint from jsonb_array_elements_text(p_inbox_ids)) and status = 'processing';
  get diagnostics v_count = row_count;
  return v_count;
end $$;
comment on function heller.stripe_postpone(jsonb, text, boolean, integer, double precision, double precision) is
  'Gives claimed events back with their error: tried again with growing delays; dead after p_attempts_max tries, unless the fault lay elsewhere (p_counts false).';
