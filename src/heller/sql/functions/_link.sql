create or replace function heller._link_step(p_hash bytea, p_head bytea, p_payload bytea) returns bytea
language plpgsql immutable parallel safe as $$ begin return pg_catalog.sha256(coalesce(p_hash, p_head) || p_payload); end $$;
comment on function heller._link_step(bytea, bytea, bytea) is 'One link of a chain that goes on from p_head; plpgsql, because an SQL function costs thrice as much here.';
create or replace aggregate heller._link(bytea, bytea) (sfunc = heller._link_step, stype = bytea);
comment on aggregate heller._link(bytea, bytea) is 'Chain of hashes that goes on from the first argument; as a window aggregate, the hash at each row.';
