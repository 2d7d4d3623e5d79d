create or replace function heller.put_webhook_endpoint(
  p_endpoint_id text, p_url text, p_secret text default null, p_account_id text default null, p_kinds text[] default null, p_position jsonb default null
) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  e heller.webhook_endpoints;
  v_secret text := p_secret;
begin
  perform heller._check_text('endpoint', p_endpoint_id, 100), heller._check_text('url', p_url, 2000), heller._check_text('secret', p_secret, 200, p_secret is not null);
  if p_url !~ '^https?://[^/]' then
    perform heller._fail('HL001', format('url %s does not begin with https://', p_url), '{"argument": "url"}');
  elsif p_secret !~ '^whsec_[A-Za-z0-9+/]{24,}={0,2}$' or length(rtrim(p_secret, '=')) % 4 = 3 then  -- 6 and no whole bytes
    perform heller._fail('HL001', 'secret is not of the Standard Webhooks form: whsec_ and at least 18 bytes in base64', '{"argument": "secret"}');
  end if;
  if v_secret is null then
    select w.secret into v_secret from heller.webhook_endpoints w where w.endpoint_id = p_endpoint_id for update;
    if not found then
      perform heller._fail('HL001', format('secret is missing; endpoint %s is new, so there is none to keep', p_endpoint_id), '{"argument": "secret"}');
    end if;
  end if;
  insert into heller.webhook_endpoints as w (endpoint_id, url, secret, account_id, kinds, position, due_at, created_at)
  values (p_endpoint_id, p_url, v_secret, p_account_id, p_kinds,
          coalesce(p_position, jsonb_build_object('at', heller._clock(), 'account', '', 'unit', '', 'seq', 0)), heller._clock(), heller._clock())
  on conflict (endpoint_id) do update set url = excluded.url, secret = excluded.secret, account_id = excluded.account_id, kinds = excluded.kinds,
    position = coalesce(p_position, w.position), failures = 0, due_at = heller._clock(), last_error = null, disabled_at = null
  returning * into e;
  return heller._webhook_endpoint_result(e);
end $$;
comment on function heller.put_webhook_endpoint(text, text, text, text, text[], jsonb) is
  'Sends events to a URL from now on, or from p_position, signed with the secret; again changes and enables it, and keeps its secret where p_secret is null.';
