create or replace function heller._check_common(p_account_id text, p_unit text, p_reason text, p_actor text, p_key text, p_metadata jsonb)
returns void language plpgsql immutable set search_path = pg_catalog as $$
begin
  perform heller._check_text('account', p_account_id, 200);
  perform heller._check_text('unit', p_unit, 40);
  perform heller._check_text('reason', p_reason, 2000, false);
  perform heller._check_text('actor', p_actor, 200, false);
  if p_key is not null then perform heller._check_text('key', p_key, 255); end if;
  if p_metadata is not null then
    if jsonb_typeof(p_metadata) <> 'object' then
      perform heller._fail('HL001', format('metadata is a JSON %s; it must be an object', jsonb_typeof(p_metadata)),
                           jsonb_build_object('argument', 'metadata'));
    elsif octet_length(p_metadata::text) > 16384 then
      perform heller._fail('HL001', format('metadata has %s bytes; at most 16384 are allowed', octet_length(p_metadata::text)),
                           jsonb_build_object('argument', 'metadata'));
    end if;
  end if;
end $$;
comment on function heller._check_common(text, text, text, text, text, jsonb) is 'The checks every verb shares.';
