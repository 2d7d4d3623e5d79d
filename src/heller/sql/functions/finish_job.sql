create or replace function heller.finish_job(p_job text, p_worker text, p_answer jsonb default null, p_error text default null) returns void
language sql security definer set search_path = pg_catalog as $$
  update heller.jobs set
    lease_until = null, finished_at = clock_timestamp(), seconds = extract(epoch from clock_timestamp() - started_at), error = left(p_error, 2000),
    failures = failures + (p_error is not null)::integer,
    succeeded_at = case when p_error is null then clock_timestamp() else succeeded_at end,
    answer = case when p_error is null then p_answer else answer end
  where job = p_job and worker = p_worker and lease_until is not null
$$;
comment on function heller.finish_job(text, text, jsonb, text) is 'Gives a job back with what it said, or with what went wrong.';
