create or replace function heller._error(p_code text, p_message text, p_detail jsonb default '{}') returns jsonb
language sql immutable parallel safe as $$
  select pg_catalog.jsonb_build_object('error', p_code, 'message', p_message, 'detail', p_detail)
$$;
comment on function heller._error(text, text, jsonb) is 'The same error as a value, for one operation of a batch.';
