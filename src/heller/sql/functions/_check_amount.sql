create or replace function heller._check_amount(p_argument text, p_amount bigint) returns void
language plpgsql immutable set search_path = pg_catalog as $$
begin
  if p_amount is null or p_amount <= 0 then
    perform heller._fail('HL001', format('%s is %s; it must be a whole number of at least 1', p_argument, coalesce(p_amount::text, 'missing')),
                         jsonb_build_object('argument', p_argument));
  end if;
end $$;
comment on function heller._check_amount(text, bigint) is 'Refuses zero, negative and missing amounts.';
