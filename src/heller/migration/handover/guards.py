"""The SQL that is made for one layout: the guard of each table, and the functions that look, seal and check.

Each statement is composed from the catalogue; identifiers are quoted, values are literals.
"""

from psycopg import sql

from heller.migration.handover.layout import Layout, Part
from heller.migration.selects import balance, whole

TRIGGER = "zz_heller_fence"  # the last of the row triggers: it judges what the others have made of the row

_GUARD = """
create or replace function {function}() returns trigger language plpgsql security definer set search_path = pg_catalog as $guard$
declare
  v_ref text;
  e bigint;
begin
  if tg_op = 'DELETE' then v_ref := old.{ref}::text; else v_ref := new.{ref}::text; end if;
  select epoch into e from heller_fence.fence where user_id = v_ref for share;
  if not found then e := heller_fence.epoch_of(v_ref, {strict}); end if;
  if e % 2 = 1 then
    if tg_op = 'INSERT' then
      if heller_fence.refused(v_ref, {part}, tg_op, to_jsonb(new), {inserted}) then return null; end if;
    elsif tg_op = 'UPDATE' then
      if heller_fence.refused(v_ref, {part}, tg_op, to_jsonb(new), {updated}) then return null; end if;
    else
      perform heller_fence.refused(v_ref, {part}, tg_op, to_jsonb(old), 0);
    end if;
  end if;
  if e > 0 then
    if tg_op = 'INSERT' then
      if coalesce({inserted}, 1) > 0 and current_setting('heller_fence.returning', true) is distinct from 'yes' then
        perform heller_fence.refuse_credited(to_jsonb(new));
      end if;
    end if;
  end if;
  if tg_op = 'UPDATE' then
    if new.{ref} is distinct from old.{ref} then
      if heller_fence.epoch_of(old.{ref}::text, {strict}) % 2 = 1 then
        perform heller_fence.refused(old.{ref}::text, {part}, tg_op, to_jsonb(old), 0);
      end if;
    end if;
  end if;
  if tg_op = 'DELETE' then return old; end if;
  return new;
end $guard$
"""

_NEW_USER = """
create or replace function heller_fence.new_user() returns trigger language plpgsql security definer set search_path = pg_catalog as $guard$
begin
  if not exists (select from heller_fence.aliases where name = new.{id}::text) then
    insert into heller_fence.fence (user_id) values (new.{id}::text) on conflict do nothing;
    insert into heller_fence.opening (user_id, balance, history, brought) values (new.{id}::text, {balance}, 0, 0) on conflict do nothing;
  end if;
  return null;
end $guard$
"""

_LOOK = """
create or replace function heller_fence.look(p_users text[])
returns table (user_id text, source smallint, id text, delta bigint, hash bigint) language plpgsql stable security definer
set search_path = pg_catalog set timezone = 'UTC' set datestyle = 'ISO, YMD' set extra_float_digits = 1 set bytea_output = 'hex'
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off  -- some users' rows by index, never the whole table
as $look$
begin
  return query
  with names as materialized (
    select u.u as user_id, u.u as name from unnest(p_users) u (u)
    union select a.user_id, a.name from heller_fence.aliases a where a.user_id = any (p_users)
  )
  {parts};
end $look$
"""

_LOOK_PART = """select n.user_id, {number}::smallint, t.{id}::text, {delta}, heller_fence.row_hash(t::text)
  from names n join {table} t on t.{ref} = {name}"""

_SEAL = """
create or replace function heller_fence.seal(p_users text[]) returns setof heller_fence.statements
language plpgsql security definer set search_path = pg_catalog as $seal$
declare
  v_users text[];
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'a seal must run at read committed: it has to see everything that was committed';
  end if;
  -- a seal waits for nobody: whoever is busy now is sealed at a later call
  select array_agg(x.user_id) into v_users from (
    select f.user_id from heller_fence.fence f where f.user_id = any (p_users) and f.epoch % 2 = 0 and not f.stray
    order by f.user_id for update skip locked) x;
  if v_users is null then return; end if;
  update heller_fence.fence f set epoch = f.epoch + 1, changed_at = clock_timestamp() where f.user_id = any (v_users);
  return query select * from heller_fence.make_statements(v_users);
end $seal$
"""

_STATEMENTS = """
create or replace function heller_fence.make_statements(p_users text[]) returns setof heller_fence.statements
language plpgsql security definer set search_path = pg_catalog as $seal$
begin
  return query
  insert into heller_fence.statements as s (user_id, epoch, balance, rows, sum, digest)
  select f.user_id, f.epoch, coalesce(b.balance, 0), coalesce(l.rows, 0), coalesce(l.sum, 0), coalesce(l.digest, 0)::text
  from heller_fence.fence f
  left join heller_fence.balances(p_users) b on b.user_id = f.user_id
  left join (select k.user_id, count(*) as rows, sum(k.delta)::bigint as sum, sum(k.hash) as digest
             from heller_fence.look(p_users) k group by k.user_id) l on l.user_id = f.user_id
  where f.user_id = any (p_users)
  on conflict on constraint statements_pkey do nothing
  returning s.*;
end $seal$
"""

_BALANCES = """
create or replace function heller_fence.balances(p_users text[]) returns table (user_id text, balance bigint)
language plpgsql stable security definer set search_path = pg_catalog set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off as $look$
begin
  return query
  with names as materialized (
    select u.u as user_id, u.u as name from unnest(p_users) u (u)
    union select a.user_id, a.name from heller_fence.aliases a where a.user_id = any (p_users)
  )
  {query};
end $look$
"""


def guard_name(part: Part) -> sql.Identifier:
    """The guard function of a table."""
    return sql.Identifier("heller_fence", f"guard_{part.number}")


def reference(part: Part) -> sql.Identifier:
    """The column that says whose row it is."""
    return part.quoted("id" if part.name == "users" else "user_ref")


def amount(part: Part, row: sql.Composable) -> sql.Composable:
    """The signed change of credits of a history row, null where it cannot be read."""
    if part.name == "payments":
        return sql.SQL("0::bigint")

    def read(field: str) -> sql.Composable:
        value = sql.SQL("{}.{}").format(row, part.quoted(field))
        return whole(value, part.column(field).base, part.mapping.scale(field))[0]

    delta = read("delta")
    if part.mapping.negated:
        return sql.SQL("-({})").format(delta)
    if part.has("before") and part.has("after"):
        return sql.SQL("case when ({a}) - ({b}) = -({d}) then -({d}) else ({d}) end").format(
            a=read("after"), b=read("before"), d=delta
        )
    return delta


def balance_of(part: Part, row: sql.Composable) -> sql.Composable:
    """What a row of users says is owned, null where it says nothing that can be read."""
    value = sql.SQL("{}.{}").format(row, part.quoted("balance"))
    return balance(value, part.column("balance").base, part.mapping.scale("balance"))


def guard_statements(part: Part) -> list[sql.Composed]:
    """The guard of one table and its triggers."""
    new, old = sql.SQL("new"), sql.SQL("old")
    if part.name == "users":
        updated: sql.Composable = (
            sql.SQL("heller_fence.gained(old.{c}::text, new.{c}::text, {scale})").format(
                c=part.quoted("balance"), scale=sql.Literal(part.mapping.scale("balance"))
            )
            if part.has("balance")
            else sql.SQL("0")
        )
        inserted: sql.Composable = sql.SQL("0")
    elif part.name == "payments":
        updated = inserted = sql.SQL("1")
    else:
        inserted = amount(part, new)  # null where it is finer than the scale: nothing is captured in part
        updated = sql.SQL("({}) - ({})").format(amount(part, new), amount(part, old))
    strict = part.name == "users" or part.mapping.strict
    statements = [
        sql.SQL(_GUARD).format(
            function=guard_name(part), ref=reference(part), strict=sql.Literal(strict), part=sql.Literal(part.name),
            inserted=inserted, updated=updated,
        )
    ]  # fmt: skip
    if part.name == "users":
        moved = [sql.SQL("old.{c} is distinct from new.{c}").format(c=part.quoted("id"))]
        if part.has("balance"):
            moved.append(sql.SQL("old.{c} is distinct from new.{c}").format(c=part.quoted("balance")))
        statements += [
            _trigger(
                part,
                "",
                sql.SQL("before update"),
                when=sql.SQL("when ({})").format(sql.SQL(" or ").join(moved)),
            ),
            _trigger(part, "_delete", sql.SQL("before delete")),
        ]
        opening = (
            sql.SQL("coalesce({}, 0)").format(balance_of(part, new)) if part.has("balance") else sql.SQL("0")
        )
        statements.append(sql.SQL(_NEW_USER).format(id=part.quoted("id"), balance=opening))
        statements.append(_trigger(part, "_new", sql.SQL("after insert"), function="new_user"))
    else:
        statements.append(_trigger(part, "", sql.SQL("before insert or update or delete")))
    statements.append(
        _trigger(
            part, "_truncate", sql.SQL("before truncate"), function="no_truncate", each=sql.SQL("statement")
        )
    )
    return statements


def trigger_names(part: Part) -> list[str]:
    """The triggers a guarded table has."""
    return [
        TRIGGER + end
        for end in (["", "_delete", "_new", "_truncate"] if part.name == "users" else ["", "_truncate"])
    ]


def _trigger(
    part: Part,
    end: str,
    events: sql.SQL,
    *,
    function: str | None = None,
    when: sql.Composable = sql.SQL(""),
    each: sql.SQL = sql.SQL("row"),
) -> sql.Composed:
    name = sql.Identifier(TRIGGER + end)
    called = sql.Identifier("heller_fence", function) if function else guard_name(part)
    return sql.SQL(
        "create or replace trigger {name} {events} on {table} for each {each} {when} execute function {called}();"
        " alter table {table} enable always trigger {name}"  # a replica role does not walk through
    ).format(name=name, events=events, table=part.identifier, each=each, when=when, called=called)


def function_statements(layout: Layout) -> list[sql.Composed]:
    """The functions that look at users' rows, say their balances and seal them."""
    parts = sql.SQL("\n  union all\n  ").join(
        sql.SQL(_LOOK_PART).format(
            number=sql.Literal(part.number), id=part.quoted("id"), delta=amount(part, sql.SQL("t")), table=part.identifier,
            ref=part.quoted("user_ref"), name=part.typed("user_ref", sql.SQL("n.name")),
        )
        for part in layout.rows
    )  # fmt: skip
    if not layout.rows:
        parts = sql.SQL(
            "select null::text, null::smallint, null::text, null::bigint, null::bigint where false"
        ).format()
    return [
        sql.SQL("drop function if exists heller_fence.look(text[]), heller_fence.balances(text[])").format(),
        sql.SQL(_LOOK).format(parts=parts),
        sql.SQL(_BALANCES).format(query=_balances(layout)),
        sql.SQL(_STATEMENTS).format(),
        sql.SQL(_SEAL).format(),
        sql.SQL(
            "revoke all on function heller_fence.look(text[]), heller_fence.balances(text[]), heller_fence.seal(text[]),"
            " heller_fence.make_statements(text[]) from public"
        ).format(),
    ]


def history_of(layout: Layout, user: sql.Composable) -> sql.Composable:
    """What a balance is that says nothing: the sum of the user's history, as the copy recommends."""
    if layout.main_history is None:
        return sql.SQL("0")
    return sql.SQL(
        "(select coalesce(sum(seen.delta), 0)::bigint from heller_fence.look(array[{}]) seen where seen.source = {})"
    ).format(user, sql.Literal(layout.main_history.number))


def _balances(layout: Layout) -> sql.Composed:
    """What each user owns, by the column or the history that is the truth."""
    if layout.truth != "balance":
        main = next(part for part in layout.histories if part.name == layout.truth)
        return sql.SQL(
            "select n.user_id, coalesce(sum({delta}), 0)::bigint from names n left join {table} t on t.{ref} = {name} group by n.user_id"
        ).format(
            delta=amount(main, sql.SQL("t")), table=main.identifier, ref=main.quoted("user_ref"),
            name=main.typed("user_ref", sql.SQL("n.name")),
        )  # fmt: skip
    users = layout.users
    history = history_of(layout, sql.SQL("n.user_id"))
    return sql.SQL(
        "select n.user_id, sum(coalesce({balance}, {history}))::bigint from names n"
        " join {table} u on u.{id} = {name} group by n.user_id"
    ).format(
        balance=balance_of(users, sql.SQL("u")), history=history, table=users.identifier, id=users.quoted("id"),
        name=users.typed("id", sql.SQL("n.name")),
    )  # fmt: skip
