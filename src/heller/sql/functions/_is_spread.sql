create or replace function heller._is_spread() returns boolean
language sql immutable parallel safe set search_path = pg_catalog as $$ select false $$;
comment on function heller._is_spread() is
  'Whether the ledger is spread over the servers of a Citus cluster; heller.citus makes it true there. The planner knows the answer, so on one server what only a cluster needs is not in the plan.';
