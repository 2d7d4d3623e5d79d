create or replace function heller.api_keys_list(p_all boolean default false, p_before text default null, p_limit integer default 1000)
returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  b heller.api_keys;
begin
  if p_before is not null then
    select * into b from heller.api_keys where key_id = p_before;
    if not found then
      perform heller._fail('HL001', format('before is %s, which is no API key', p_before), '{"argument": "before"}');
    end if;
  end if;
  return query
    select heller._api_key_result(k) from heller.api_keys k
    where (p_all or (k.revoked_at is null and coalesce(k.expires_at > clock_timestamp(), true)))
      and (p_before is null or (k.created_at, k.key_id) < (b.created_at, b.key_id))
    order by k.created_at desc, k.key_id desc limit least(greatest(p_limit, 1), 1000);
end $$;
comment on function heller.api_keys_list(boolean, text, integer) is
  'The API keys that are valid, or all, newest first, at most 1000 a call; the next page is before the last key of this one.';
