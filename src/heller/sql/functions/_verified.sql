create or replace function heller._verified(p_account_id text, p_hash boolean) returns jsonb
language plpgsql stable set search_path = pg_catalog as $$
begin
  return to_jsonb(v) from heller._verify_page('', p_account_id, p_hash, p_account_id) v;
end $$;
comment on function heller._verified(text, boolean) is 'One account recomputed on the server of a Citus cluster that has it.';
