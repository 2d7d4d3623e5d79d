create or replace function heller.put_alert(p_account_id text, p_threshold bigint, p_rearm_at bigint default null, p_unit text default 'credit') returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  l heller.alerts;
begin
  if p_threshold is null or p_rearm_at < p_threshold then
    perform heller._fail('HL001', 'threshold is missing, or rearm_at is below it', '{"argument": "threshold"}');
  end if;
  perform heller._lock(p_account_id, p_unit, p_even_frozen => true);
  insert into heller.alerts (account_id, unit, threshold, rearm_at, created_at)
  values (p_account_id, p_unit, p_threshold, coalesce(p_rearm_at, p_threshold), heller._clock())
  on conflict (account_id, unit, threshold) do update set rearm_at = excluded.rearm_at returning * into l;
  return heller._alert_result(l);
end $$;
comment on function heller.put_alert(text, bigint, bigint, text) is
  'Asks to be told when available falls below a threshold; told once, until available has been at p_rearm_at (else the threshold) or above again.';
