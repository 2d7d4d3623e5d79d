create or replace function heller._spend_request(p_allow_partial boolean, p_min_available_after bigint, p_effective_at timestamptz, p_amount bigint)
returns jsonb language sql stable parallel safe as $$
  select case when p_allow_partial is true or p_min_available_after is not null or p_effective_at is not null then
    pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('amount', p_amount, 'allow_partial', nullif(p_allow_partial, false),
      'min_available_after', p_min_available_after, 'effective_at', pg_catalog.timezone('UTC', p_effective_at)))
  end
$$;
comment on function heller._spend_request(boolean, bigint, timestamptz, bigint) is 'The options of a spend that identify the intent; null for a plain one.';
