create or replace function heller._check_text(p_argument text, p_value text, p_length_max integer, p_required boolean default true)
returns void language plpgsql immutable set search_path = pg_catalog as $$
begin
  if p_value is null or p_value = '' then
    if p_required then
      perform heller._fail('HL001', format('%s is empty', p_argument), jsonb_build_object('argument', p_argument));
    end if;
  elsif length(p_value) > p_length_max then
    perform heller._fail('HL001', format('%s has %s characters; at most %s are allowed', p_argument, length(p_value), p_length_max),
                         jsonb_build_object('argument', p_argument));
  elsif p_value ~ '[\x01-\x1f\x7f]' and p_argument <> 'reason' then
    perform heller._fail('HL001', format('%s contains control characters', p_argument), jsonb_build_object('argument', p_argument));
  end if;
end $$;
comment on function heller._check_text(text, text, integer, boolean) is 'Refuses an empty (where required), too long or unprintable text, naming the argument.';
