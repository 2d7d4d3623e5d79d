-- plpgsql, because an aggregate cannot inline a function of SQL: half the time a row.
create or replace function heller._chain_step(p_previous bytea, p_payload bytea) returns bytea
language plpgsql immutable strict parallel safe as $$
begin
  return pg_catalog.sha256(p_previous operator(pg_catalog.||) p_payload);
end $$;
comment on function heller._chain_step(bytea, bytea) is 'One link of a chain of hashes.';
create or replace aggregate heller._chain(bytea) (sfunc = heller._chain_step, stype = bytea, initcond = '');
comment on aggregate heller._chain(bytea) is 'Chain of hashes over payloads in order; as a window aggregate, the hash at each row.';
