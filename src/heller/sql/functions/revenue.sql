create or replace function heller.revenue(p_from timestamptz, p_until timestamptz) returns setof jsonb
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  v_parts jsonb[];
begin
  perform heller._check_period(p_from, p_until);
  if not heller._is_spread() then
    return query select jsonb_array_elements(heller._revenue(p_from, p_until));
    return;
  end if;
  v_parts := array(select heller._revenue(p_from, p_until, g.account_id) from (select distinct account_id from heller.grants where cost > 0) g);
  return query
    select jsonb_object_agg(f.name, f.amount) || jsonb_build_object('currency', f.currency)
    from (select r ->> 'currency' as currency, e.key as name, sum(e.value::numeric) as amount
          from unnest(v_parts) p (part), jsonb_array_elements(p.part) r, jsonb_each_text(r - 'currency') e group by 1, 2) f
    group by f.currency order by f.currency;
end $$;
comment on function heller.revenue(timestamptz, timestamptz) is
  'Per currency, in minor units, by recording time: deferred_before + sold - recognised - breakage - taken_back + moved = deferred_after. moved is 0 but for a transfer in the very instant of a border. Recognised is what used credits cost, rounded down over each grant''s sum, so that nothing is lost to rounding.';
