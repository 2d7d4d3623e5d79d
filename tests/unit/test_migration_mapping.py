"""Mappings and decisions as files: read against a catalogue, refused with the place of what is wrong."""

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from heller.errors import MappingError, SourceError
from heller.migration.catalogue import Catalogue, ForeignKey, Table
from heller.migration.decisions import Decisions
from heller.migration.draft import draft_mapping
from heller.migration.findings import FINDINGS, FindingKind
from heller.migration.mapping import read_mapping
from heller.migration.proof import canonical
from heller.migration.shapes import recognise
from heller.migration.source import printable


def table(name: str, columns: str, schema: str = "public", **values: object) -> Table:
    return Table(schema, name, "r", 0, True, dict.fromkeys(columns.split(), "text"), **values)  # type: ignore[arg-type]


SHOP = Catalogue(
    (
        table("members", "member_no mail points", schema="shop"),
        table("orders", "order_no member_no stripe_id cents points state", schema="shop"),
        table("usage_log", "log_no member_no points", schema="shop"),
    ),
    180000,
    "UTF8",
)

GOOD = """
system = "shop"
[users]
table = "shop.members"
id = "member_no"
email = "mail"
balance = "points"

[payments]
table = "orders"
id = "order_no"
user_ref = "member_no"
intent = "stripe_id"
credits = "points"
status = "state"
provider = { value = "stripe" }

[[transactions]]
table = "usage_log"
id = "log_no"
user_ref = "member_no"
delta = "points"
negated = true
reason = { value = "usage" }

[kinds]
"Signup Gift" = "grant"

[statuses]
Done = "paid"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text, "utf-8")
    return path


def test_a_mapping_reads_any_names(tmp_path: Path) -> None:
    mapping = read_mapping(written(tmp_path, GOOD), SHOP)
    assert (mapping.shape, mapping.system) == ("mapped", "shop")
    assert mapping.of("users")[0].columns == {"id": "member_no", "email": "mail", "balance": "points"}
    assert mapping.of("payments")[0].constants == {"provider": "stripe"}
    assert [(read.label, read.negated) for read in mapping.of("transactions")] == [("shop.usage_log", True)]
    assert (mapping.kinds, mapping.statuses) == ({"signup gift": "grant"}, {"done": "paid"})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('email = "mail"', 'email = "e_mail"', r"line 6, users\.email: shop\.members has no column 'e_mail'"),
        ('email = "mail"', 'phone = "mail"', r"line 6, users\.phone: is none of"),
        ('id = "member_no"\n', "", r"users\.table: id must be given"),
        ('table = "orders"', 'table = "order"', r"line 10, payments\.table: there is no table order"),
        (
            'delta = "points"',
            'delta = { column = "points", factor = 10 }',
            r"line 22, transactions\.delta: must be a column, .* scale = 100",
        ),
        (
            'delta = "points"',
            'delta = { column = "points", scale = 3 }',
            r"line 22, transactions\.delta: the scale is one of 1, 10,",
        ),
        ('delta = "points"', 'delta = { column = "coins", scale = 10 }', r"has no column 'coins'"),
        (
            'email = "mail"',
            'email = { column = "mail", scale = 10 }',
            r"line 6, users\.email: must be a column",
        ),
        ('delta = "points"', "delta = { column = 1 }", r"transactions\.delta: must be a column"),
        ('= "grant"', '= "present"', r"line 27, kinds\.Signup Gift: 'present' is none of"),
        ('Done = "paid"', 'Done = "good"', r"statuses\.Done: 'good' is none of"),
        ('system = "shop"', 'system = "The Shop"', "line 2"),
        ('system = "shop"', 'sistem = "shop"', r"line 2, sistem\.sistem: is none of"),
        ("[users]", "[[users]]\ntable='members'\nid='member_no'\n[[users]]", "only one table can be users"),
        ("[[transactions]]", "[[transactions", "is not TOML"),
        (
            'delta = "points"',
            'delta = { value = "many" }',
            r"line 22, transactions\.delta: 'many' is not a whole number",
        ),
        (
            'delta = "points"',
            'delta = "points"\ncreated_at = { value = "then" }',
            r"transactions\.created_at: 'then' is not an instant",
        ),
        (
            "[kinds]",
            '[ledger]\ntable = "usage_log"\nid = "log_no"\nuser_ref = "member_no"\ndelta = "points"\n[kinds]',
            r"ledger\.table: shop\.usage_log is read twice",
        ),
    ],
)
def test_a_wrong_mapping_is_refused_with_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(MappingError, match=message):
        read_mapping(written(tmp_path, GOOD.replace(old, new)), SHOP)


def test_a_scale_reads_decimals_as_whole_numbers(tmp_path: Path) -> None:
    text = GOOD.replace('balance = "points"', 'balance = { column = "points", scale = 100 }')
    (users,) = read_mapping(written(tmp_path, text), SHOP).of("users")
    assert (users.columns["balance"], users.scale("balance"), users.scale("id")) == ("points", 100, 1)


def test_a_foreign_key_to_the_mapped_users_can_only_be_an_id(tmp_path: Path) -> None:
    keyed = (
        *SHOP.tables[:2],
        replace(SHOP.tables[2], foreign_keys=[ForeignKey("member_no", "shop", "members", "member_no")]),
    )
    mapping = read_mapping(written(tmp_path, GOOD), replace(SHOP, tables=keyed))
    assert [(read.part, read.strict) for read in mapping.tables] == [
        ("users", False),
        ("payments", False),
        ("transactions", True),
    ]


def test_a_mapping_that_says_nothing_of_credits_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="who has how many credits"):
        read_mapping(written(tmp_path, '[users]\ntable = "members"\nid = "member_no"\n'), SHOP)


def test_the_draft_of_a_recognised_source_is_a_mapping_of_it(tmp_path: Path) -> None:
    catalogue = Catalogue(
        (
            table("users", "id email credits_balance auth0_id"),
            table("credit_transactions", "id user_id delta reason created_at"),
        ),
        180000,
        "UTF8",
    )
    mapping = read_mapping(written(tmp_path, draft_mapping(catalogue)), catalogue)
    known = recognise(catalogue)
    assert [(read.part, read.columns, read.names) for read in mapping.tables] == [
        (read.part, read.columns, read.names) for read in known.tables
    ]


def test_the_draft_of_an_unknown_source_names_the_likeliest_tables() -> None:
    text = draft_mapping(SHOP)
    assert tomllib.loads(text)["users"]["table"] == "shop.members"
    assert "shop.usage_log(log_no text, member_no text, points text)" in text


def test_the_draft_reads_any_spelling_keys_and_decimals() -> None:
    key = ForeignKey("member", "app", "Members", "MemberId")
    columns = {"MemberId": "uuid", "EMail": "text", "DisplayName": "text", "Credits": "numeric"}
    catalogue = Catalogue(
        (
            Table("app", "Members", "r", 0, True, columns, [("MemberId",)]),
            table("purchases", "id member credits state", unique=[("id",)], foreign_keys=[key]),
            table("credit_history", "entry_id member change", unique=[("entry_id",)]),
        ),
        180000,
        "UTF8",
    )
    text = draft_mapping(catalogue)
    read = tomllib.loads(text)
    assert read["users"] == {"table": "app.Members", "id": "MemberId", "email": "EMail", "name": "DisplayName", "balance": "Credits", "names": []}  # fmt: skip
    assert read["transactions"] == {"table": "public.credit_history", "id": "entry_id", "user_ref": "member"}
    assert '# with decimals: balance = { column = "Credits", scale = 100 }' in text
    assert "app.Members(MemberId uuid, EMail text, DisplayName text, Credits numeric)" in text


def test_a_reference_by_foreign_key_can_only_be_an_id() -> None:
    key = ForeignKey("user_id", "public", "users", "id")
    catalogue = Catalogue(
        (
            table("users", "id email credits_balance"),
            table("credit_transactions", "id user_id delta", foreign_keys=[key]),
            table("credit_ledger", "id clerk_user_id delta"),
        ),
        180000,
        "UTF8",
    )
    mapping = recognise(catalogue)
    assert [(read.part, read.strict) for read in mapping.tables] == [
        ("users", False), ("transactions", True), ("ledger", False)
    ]  # fmt: skip
    assert mapping.shape == "drifted"


def test_a_table_without_a_needed_column_is_refused_with_its_columns() -> None:
    catalogue = Catalogue(
        (table("users", "id credits_balance"), table("payments", "id user_id total")), 180000, "UTF8"
    )
    with pytest.raises(
        SourceError, match=r"public\.payments has no column for status \(it has: id, user_id, total\)"
    ):
        recognise(catalogue)


def test_an_undecided_default_is_no_choice() -> None:
    assert Decisions({"unknown_user": "undecided"}).digest() == Decisions().digest()
    assert Decisions({"unknown_user": "hold"}).digest() != Decisions().digest()
    assert Decisions.from_json(Decisions({"a": "b"}, {"c": {"d": "e"}}, True).as_json()) == Decisions({"a": "b"}, {"c": {"d": "e"}}, True)  # fmt: skip


@pytest.mark.parametrize("kind", FINDINGS, ids=lambda kind: kind.code)
def test_every_finding_has_a_sentence_for_one_and_for_many(kind: FindingKind) -> None:
    one, many = kind.sentence(1, 2500), kind.sentence(1200, -3_000_000)
    assert one != many
    assert one.endswith(".")
    assert many.endswith(".")
    assert "{" not in one + many
    assert (kind.level == "blocker") <= bool(kind.choices)


def test_the_proof_is_signed_over_all_keys_but_its_digest() -> None:
    assert canonical({"b": 1, "a": "ü", "digest": "x"}) == '{"a":"ü","b":1}'.encode()


def test_a_password_is_never_printed() -> None:
    assert printable("postgresql://me:secret@db.example/legacy") == "postgresql://db.example:5432/legacy"
    assert printable("folder/export") == "export"
