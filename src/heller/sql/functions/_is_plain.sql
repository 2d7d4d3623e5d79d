create or replace function heller._is_plain(p_amount bigint, p_reason text, p_actor text, p_key text, p_metadata jsonb,
                                            p_is_printable boolean default false) returns boolean
language sql immutable parallel safe as $$
  select p_amount >= 1 and (p_reason is null or pg_catalog.length(p_reason) <= 2000)
     and (p_key is null or pg_catalog.length(p_key) between 1 and 255 and (p_is_printable or p_key !~ '[\x01-\x1f\x7f]'))
     and (p_actor is null or pg_catalog.length(p_actor) <= 200 and (p_is_printable or p_actor !~ '[\x01-\x1f\x7f]'))
     and (p_metadata is null or pg_catalog.jsonb_typeof(p_metadata) = 'object' and pg_catalog.octet_length(p_metadata::text) <= 16384)
$$;
comment on function heller._is_plain(bigint, text, text, text, jsonb, boolean) is
  'Whether the arguments of a spend are right at first sight; if not, _spend_refusal says what is wrong. p_is_printable: the caller has looked for control characters. Without search_path, so that it is inlined.';
