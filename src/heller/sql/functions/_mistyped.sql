create or replace function heller._mistyped(p_operation jsonb) returns jsonb
language plpgsql stable set search_path = pg_catalog as $$
declare
  v_name text;
  v_text text;
  v_type text;
  v_refusal jsonb;
begin
  v_refusal := heller._refused_option(p_operation);
  if v_refusal is not null then return v_refusal; end if;
  for v_name, v_text in select * from jsonb_each_text(p_operation) loop
    v_type := case
      when v_text is null then null
      when v_name in ('amount', 'if_version', 'min_available_after', 'cost', 'hold', 'seq', 'grant', 'overrun_limit', 'overdraft_limit') then 'a whole number'
      when v_name in ('priority', 'seconds') then 'a whole number below 2147483648'
      when v_name in ('dry_run', 'allow_partial', 'final') then 'true or false'
      when v_name in ('effective_at', 'available_at', 'expires_at') then 'an instant such as 2026-01-31T12:00:00Z' end;
    continue when v_type is null;
    begin
      perform case v_type when 'a whole number' then v_text::bigint is null when 'true or false' then v_text::boolean
                          when 'a whole number below 2147483648' then v_text::integer is null else v_text::timestamptz is null end;
    exception when data_exception then
      return heller._error('HL001', format('%s is %s; it must be %s', v_name, left(v_text, 100), v_type), jsonb_build_object('argument', v_name));
    end;
  end loop;
  return null;
end $$;
comment on function heller._mistyped(jsonb) is 'The refusal of an operation with an option that its verb does not take, or of another type than the verbs take, naming it; null when none is.';
