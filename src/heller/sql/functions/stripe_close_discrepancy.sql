create or replace function heller.stripe_close_discrepancy(p_discrepancy_id bigint, p_actor text, p_reason text) returns jsonb
language plpgsql security definer set search_path = pg_catalog as $$
declare
  d heller.discrepancies;
begin
  perform heller._check_text('actor', p_actor, 200);
  perform heller._check_text('reason', p_reason, 500);
  update heller.discrepancies set state = 'closed', note = p_reason, actor = p_actor, closed_at = clock_timestamp()
  where discrepancy_id = p_discrepancy_id and state = 'open' returning * into d;
  if not found then
    perform heller._fail('HL001', format('discrepancy %s is not open', p_discrepancy_id), '{"argument": "discrepancy_id"}');
  end if;
  return to_jsonb(d);
end $$;
comment on function heller.stripe_close_discrepancy(bigint, text, text) is 'A person has dealt with a difference, or says that nothing is to be done about it.';
