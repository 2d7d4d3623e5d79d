create or replace function heller.verify_accounts(
  p_after text default '', p_limit integer default 1000, p_hash boolean default true, p_until text default null,
  out last_account text, out accounts bigint, out transactions bigint, out broken jsonb
)
language plpgsql stable security definer set search_path = pg_catalog as $$
declare
  v_until text collate "C";
  v_broken jsonb[];
begin
  -- all units of an account belong to one page; the last page reaches to p_until, so that rows without an account are seen too
  select x.account_id into last_account
  from heller.accounts x where x.account_id > p_after and (p_until is null or x.account_id <= p_until)
  order by x.account_id, x.unit offset greatest(p_limit, 1) - 1 limit 1;
  v_until := coalesce(last_account, p_until);
  if heller._is_spread() then  -- each on its own server
    select coalesce(sum((x.v ->> 'accounts')::bigint), 0), coalesce(sum((x.v ->> 'transactions')::bigint), 0) , array_agg(x.v -> 'broken') filter (where x.v ->> 'broken' is not null)
    into accounts, transactions, v_broken
    from (select heller._verified(i.account_id, p_hash) as v from (
            select a.account_id from heller.accounts a where a.account_id > p_after and (v_until is null or a.account_id <= v_until)
            union
            select t.account_id from heller.transactions t where t.account_id > p_after and (v_until is null or t.account_id <= v_until)) i) x;
    broken := (select jsonb_agg(e order by e ->> 'account', e ->> 'unit', (e ->> 'seq')::bigint nulls last, e ->> 'what')
               from unnest(v_broken) b (v), jsonb_array_elements(b.v) e);
    return;
  end if;
  select p.* into accounts, transactions, broken from heller._verify_page(p_after, v_until, p_hash) p;
end $$;
comment on function heller.verify_accounts(text, integer, boolean, text) is
  'Recomputes a page of accounts from their rows: numbering, running balance, chain of hashes, totals, holds, grants. broken names each row that is wrong; last_account is where the next page starts, null after the last page; p_until ends the range.';
