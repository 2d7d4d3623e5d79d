create or replace function heller._keep_outcome(p_account_id text, p_key text, p_request jsonb, p_result jsonb) returns jsonb
language plpgsql set search_path = pg_catalog as $$
begin
  if p_key is not null then
    insert into heller.outcomes (account_id, idempotency_key, request, result, recorded_at)
    values (p_account_id, p_key, jsonb_strip_nulls(p_request), p_result, heller._clock());
  end if;
  return p_result;
end $$;
comment on function heller._keep_outcome(text, text, jsonb, jsonb) is
  'Remembers what a key led to when it led to no transaction, so that the same key never does something later.';
