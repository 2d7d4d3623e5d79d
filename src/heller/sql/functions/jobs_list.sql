create or replace function heller.jobs_list() returns setof jsonb
language sql stable security definer set search_path = pg_catalog as $$
  select to_jsonb(j) || jsonb_build_object('is_running', j.lease_until > clock_timestamp(), 'age_seconds', extract(epoch from clock_timestamp() - j.succeeded_at))
  from heller.jobs j order by j.job
$$;
comment on function heller.jobs_list() is 'The periodic jobs of the workers and how each last went.';
