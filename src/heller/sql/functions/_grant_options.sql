create or replace function heller._grant_options(
  p_source text, p_priority integer, p_available_at timestamptz, p_expires_at timestamptz, p_cost bigint, p_currency text, p_payment_key text
) returns jsonb
language sql stable parallel safe set search_path = pg_catalog set timezone = 'UTC' as $$
  select jsonb_strip_nulls(jsonb_build_object('source', p_source, 'priority', nullif(p_priority, 100), 'available_at', p_available_at,
    'expires_at', p_expires_at, 'cost', nullif(p_cost, 0), 'currency', p_currency, 'payment', p_payment_key))
$$;
comment on function heller._grant_options(text, integer, timestamptz, timestamptz, bigint, text, text) is 'The options of a grant that identify the intent.';
