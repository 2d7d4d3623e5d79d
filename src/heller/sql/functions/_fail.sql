create or replace function heller._fail(p_code text, p_message text, p_detail jsonb default '{}') returns void
language plpgsql set search_path = pg_catalog as $$
begin
  raise exception using errcode = p_code, message = p_message, detail = p_detail::text;
end $$;
comment on function heller._fail(text, text, jsonb) is 'Raises one of heller''s errors (HL0nn); the detail is JSON with the case''s data.';
