create or replace function heller._check_place(p_argument text, p_place jsonb) returns void
language plpgsql stable set search_path = pg_catalog as $$
begin
  if p_place is null then return; end if;
  if jsonb_typeof(p_place) = 'array' and jsonb_array_length(p_place) = 2 and p_place ->> 1 is not null then
    if (p_place ->> 0)::timestamptz is not null then return; end if;
  end if;
  perform heller._fail('HL001', format('%s is not the instant and the id that the page before ended with', p_argument),
                       jsonb_build_object('argument', p_argument));
exception when invalid_datetime_format or datetime_field_overflow then
  perform heller._fail('HL001', format('%s does not begin with an instant', p_argument), jsonb_build_object('argument', p_argument));
end $$;
comment on function heller._check_place(text, jsonb) is 'Refuses what is no place in a list by time: [instant, id] of the last row of a page.';
