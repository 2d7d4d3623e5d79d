create or replace function heller._stripe_target(p_credits bigint, p_paid bigint, p_back bigint) returns bigint
language sql immutable parallel safe as $$
  select case when p_paid <= 0 then p_credits
              else p_credits - pg_catalog.div(p_credits::numeric * least(greatest(p_back, 0), p_paid), p_paid)::bigint end
$$;
comment on function heller._stripe_target(bigint, bigint, bigint) is
  'How many of a payment''s credits stand when so much of what was paid has been taken back: in proportion to the cumulative total, so that parts never drift.';
