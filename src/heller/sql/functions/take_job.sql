create or replace function heller.take_job(
  p_job text, p_worker text, p_every_seconds double precision, p_lease_seconds double precision default 600
) returns jsonb
language sql security definer set search_path = pg_catalog as $$
  insert into heller.jobs as j (job, worker, lease_until, started_at, runs)
  values (p_job, p_worker, clock_timestamp() + make_interval(secs => p_lease_seconds), clock_timestamp(), 1)
  on conflict (job) do update set worker = excluded.worker, lease_until = excluded.lease_until, started_at = excluded.started_at, runs = j.runs + 1
  where case when j.lease_until is null then j.started_at <= clock_timestamp() - make_interval(secs => p_every_seconds)
             -- its worker is gone, or asks again because it could not say that it had ended: the database was away
             else j.lease_until <= clock_timestamp() or j.worker = excluded.worker end
  returning jsonb_build_object('job', j.job, 'previous', j.answer)
$$;
comment on function heller.take_job(text, text, double precision, double precision) is
  'Takes a periodic job that is due and that nobody does, under a lease: of many workers one gets it, with what the last run said; the others get null. A lease that ends is taken over; a worker does one job once at a time, so one that asks again gets it.';
