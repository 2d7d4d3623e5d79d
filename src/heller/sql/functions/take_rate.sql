create or replace function heller.take_rate(p_bucket text, p_per_minute integer, p_weight integer default 1) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  v_now timestamptz := clock_timestamp();
  v_full timestamptz := v_now + interval '1 minute';
  v_cost interval := interval '1 minute' * p_weight / p_per_minute;
  v_empty timestamptz;
begin
  if random() < 0.001 then
    delete from heller.rate_limits where empty_at < v_now - interval '1 minute';
  end if;
  insert into heller.rate_limits as r (bucket, empty_at) values (p_bucket, v_now + v_cost)
  on conflict (bucket) do update set empty_at = greatest(r.empty_at, v_now) + v_cost
    where greatest(r.empty_at, v_now) + v_cost <= v_full
  returning empty_at into v_empty;
  if found then
    return jsonb_build_object('allowed', true, 'wait_seconds', 0,
      'remaining', greatest(0, floor(p_per_minute * extract(epoch from v_full - v_empty) / 60)));
  end if;
  select empty_at into v_empty from heller.rate_limits where bucket = p_bucket;
  return jsonb_build_object('allowed', false, 'remaining', 0,
    'wait_seconds', ceil(extract(epoch from greatest(v_empty, v_now) + v_cost - v_full)));
end $$;
comment on function heller.take_rate(text, integer, integer) is
  'Takes requests out of a bucket that holds a minute''s worth and refills steadily; says whether there was room, how much is left, and how long to wait.';
