create or replace function heller.observe(
  p_operation_id text, p_account_id text, p_arm text, p_what text, p_failed boolean, p_milliseconds integer, p_detail text default null,
  p_rollout text default 'home'
) returns boolean
language plpgsql security definer set search_path = pg_catalog as $$
begin
  insert into heller.observations (rollout, operation_id, account_id, arm, what, failed, counts, milliseconds, detail)
  values (p_rollout, left(p_operation_id, 200), p_account_id, p_arm, left(p_what, 40), p_failed,
          not p_failed or not exists (
            select from heller.observations o where o.rollout = p_rollout and o.account_id = p_account_id and o.failed and o.counts
              and o.at > clock_timestamp() - interval '10 minutes'),
          greatest(p_milliseconds, 0), left(p_detail, 500))
  on conflict do nothing;
  return found;
end $$;
comment on function heller.observe(text, text, text, text, boolean, integer, text, text) is
  'Records the outcome of one operation for the guardrails, in the operation''s own transaction or right after it. The first outcome of an operation counts; a user who fails counts once in ten minutes. Refusals such as not enough credits are no failures.';
