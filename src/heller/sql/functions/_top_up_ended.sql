create or replace function heller._top_up_ended(p_before text, o heller.orders) returns void
language plpgsql set search_path = pg_catalog as $$
begin
  if o.kind = 'top_up' and o.state <> p_before and o.state in ('paid', 'failed', 'canceled')
     and exists (select from heller.top_up_rules where account_id = o.account_id and unit = o.unit) then
    perform heller.record_top_up(o.account_id, case o.state when 'paid' then 'succeeded' else 'failed' end,
                                 case o.state when 'paid' then o.amount else 0 end, o.failure, o.unit);
  end if;
end $$;
comment on function heller._top_up_ended(text, heller.orders) is
  'Tells the account''s top-up rule how an automatic top-up ended, whenever and by whatever it came out; p_before is the order''s state until now.';
