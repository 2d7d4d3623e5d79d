"""The questions only a person can answer, as a TOML file: written with the choices, read back, never guessed.

Each code has a default and, for exceptions, a table of rows. What was decided before is kept when
the file is written again. An undecided blocker stops ``plan``; any other undecided question changes nothing.
"""

import json
import os
import tomllib
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection

from heller.errors import DecisionsNeeded, MappingError
from heller.migration.findings import FINDING, FINDINGS, UNDECIDED, FindingKind
from heller.migration.mapping import line_of

ROWS_LISTED_MAX = 200


@dataclass(frozen=True, slots=True)
class Decisions:
    """Choices by code, and by code and row; ``recommended`` says that open questions take the recommended choice."""

    defaults: dict[str, str] = field(default_factory=dict)
    rows: dict[str, dict[str, str]] = field(default_factory=dict)
    recommended: bool = False

    @classmethod
    def read(cls, path: Path, *, recommended: bool = False) -> "Decisions":
        """Read the file; one that is not there decides nothing. Raises MappingError with the line of a wrong choice."""
        if not path.exists():
            return cls(recommended=recommended)
        text = path.read_text(encoding="utf-8")
        try:
            content: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise MappingError(f"The decisions {path} are not TOML: {error}.") from error
        defaults: dict[str, str] = {}
        rows: dict[str, dict[str, str]] = {}
        for code, section in content.items():
            kind = FINDING.get(code)
            if (
                kind is None
                or not kind.choices
                or not isinstance(section, dict)
                or set(section) - {"default", "rows"}
            ):
                known = ", ".join(item.code for item in FINDINGS if item.choices)
                raise MappingError(
                    f"{path}, line {line_of(text, code, code)}: [{code}] is no question with default and rows.",
                    hint=f"Questions are: {known}.",
                )
            default = section.get("default", UNDECIDED)
            _check(path, text, kind, section=code, key="default", choice=default)
            defaults[code] = default
            listed = section.get("rows", {})
            for key, choice in listed.items():
                _check(path, text, kind, section=f"{code}.rows", key=key, choice=choice)
            rows[code] = dict(listed)
        return cls(defaults, rows, recommended)

    def as_json(self) -> dict[str, Any]:
        """For the journal of runs, where verify reads them back."""
        return {"defaults": self.defaults, "rows": self.rows, "recommended": self.recommended}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> "Decisions":
        """What ``as_json`` wrote."""
        return cls(content["defaults"], content["rows"], content["recommended"])

    def digest(self) -> str:
        """A digest of all choices that were made, for the plan: an undecided default is no choice."""
        made = {code: choice for code, choice in self.defaults.items() if choice != UNDECIDED}
        rows = {code: listed for code, listed in self.rows.items() if listed}
        return sha256(json.dumps([made, rows, self.recommended], sort_keys=True).encode()).hexdigest()


def _check(path: Path, text: str, kind: FindingKind, *, section: str, key: str, choice: Any) -> None:
    if choice == UNDECIDED or choice in kind.choices:
        return
    if kind.to_user and isinstance(choice, str) and choice.removeprefix("user:") not in {"", choice}:
        return
    choices = [*kind.choices, *(["user:<id>"] if kind.to_user else []), UNDECIDED]
    raise MappingError(
        f"{path}, line {line_of(text, section, key)}, {section}.{key}: {choice!r} is no choice.",
        hint=f"Choices are: {', '.join(choices)}.",
    )


async def write_decisions(workspace: AsyncConnection, path: Path, *, decisions: Decisions) -> int:
    """Write the file anew with all questions of the findings, keeping what was decided; answers how many are open."""
    counted = await workspace.execute(
        "select code, count(*), coalesce(sum(credits), 0)::bigint from heller_staging.findings group by code"
    )
    counts = {code: (count, total) for code, count, total in await counted.fetchall()}
    lines = [
        '# What only you can decide before credits move. Replace "undecided" by one of the choices;',
        "# a row that differs gets a line of its own in the table of rows below its question.",
        "# Blockers must be decided; the others change nothing as long as they are undecided.",
        "",
    ]
    open_questions = 0
    for kind in FINDINGS:
        if not kind.choices or (kind.code not in counts and not decisions.rows.get(kind.code)
                                and decisions.defaults.get(kind.code, UNDECIDED) == UNDECIDED):  # fmt: skip
            continue
        count, total = counts.get(kind.code, (0, 0))
        open_questions += count > 0 and decisions.defaults.get(kind.code, UNDECIDED) == UNDECIDED
        lines += await _question(workspace, kind, count, total=total, decisions=decisions)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".toml.new")
    fresh.write_text("\n".join(lines), encoding="utf-8")
    os.replace(fresh, path)  # noqa: PTH105 - atomic: a kill leaves the old file or the new one
    return open_questions


async def _question(
    workspace: AsyncConnection, kind: FindingKind, count: int, *, total: int, decisions: Decisions
) -> list[str]:
    lines = [f"[{kind.code}]", f"# {kind.level}: {kind.sentence(count, total)}"]
    for choice, meaning in kind.choices.items():
        lines.append(f"#   {choice}{' (recommended)' if choice == kind.recommended else ''}: {meaning}")
    if kind.to_user:
        lines.append("#   user:<id>: they belong to this user")
    lines += [
        f'default = "{decisions.defaults.get(kind.code, UNDECIDED)}"',
        "",
        f"[{kind.code}.rows]  # {kind.per}",
    ]
    taken = decisions.rows.get(kind.code, {})
    lines += [f"{_quoted(key)} = {_quoted(choice)}" for key, choice in taken.items()]
    cursor = await workspace.execute(
        "select key, credits, detail::text from heller_staging.findings where code = %s"
        ' order by abs(credits) desc nulls last, key collate "C" limit %s',
        (kind.code, ROWS_LISTED_MAX),
    )
    for key, row_credits, detail in await cursor.fetchall():
        if key not in taken:
            lines.append(
                f"# {_quoted(key)} = {_quoted(UNDECIDED)}  # {row_credits or 0:,} credits {_one_line(detail)}"
            )
    if count > ROWS_LISTED_MAX:
        lines.append(f"# and {count - ROWS_LISTED_MAX:,} more: audit.json has them all")
    return [*lines, ""]


def _quoted(text: str) -> str:
    """A TOML basic string; JSON's escapes are a subset of TOML's."""
    return json.dumps(text, ensure_ascii=True)


def _one_line(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:200]


async def apply_decisions(workspace: AsyncConnection, decisions: Decisions, *, path: Path) -> None:
    """Lay the choices over the findings as ``heller_staging.choices``, one row a finding row.

    Raises DecisionsNeeded while a blocker is undecided, MappingError for a user that does not exist.
    """
    await workspace.execute("truncate heller_staging.decided")
    async with workspace.cursor() as cursor:
        given = [(code, "", choice) for code, choice in decisions.defaults.items()]
        given += [
            (code, f"={key}", choice) for code, rows in decisions.rows.items() for key, choice in rows.items()
        ]
        await cursor.executemany("insert into heller_staging.decided values (%s, %s, %s)", given)
        await cursor.execute("drop table if exists heller_staging.questions, heller_staging.choices")
        await cursor.execute(
            "create unlogged table heller_staging.questions (code text, recommended text, fallback text, needed boolean)"
        )
        await cursor.executemany(
            "insert into heller_staging.questions values (%s, %s, %s, %s)",
            [
                (
                    kind.code, kind.recommended,
                    kind.recommended if decisions.recommended or kind.level != "blocker" else UNDECIDED,
                    kind.level == "blocker",
                )
                for kind in FINDINGS if kind.choices
            ],
        )  # fmt: skip
    await workspace.execute(
        """
        create unlogged table heller_staging.choices as
        select f.code, f.key, f.credits, q.needed,
               coalesce(nullif(r.choice, 'undecided'), nullif(d.choice, 'undecided'), q.fallback) as choice,
               case when nullif(r.choice, 'undecided') is not null then 'row'
                    when nullif(d.choice, 'undecided') is not null then 'default' else 'recommended' end as decided_by
        from heller_staging.findings f
        join heller_staging.questions q on q.code = f.code
        left join heller_staging.decided r on r.code = f.code and r.key = '=' || f.key
        left join heller_staging.decided d on d.code = f.code and d.key = ''
        """
    )
    await workspace.execute("create index on heller_staging.choices (code, key)")
    await workspace.execute("analyze heller_staging.choices")
    await _check_complete(workspace, path)
    await _check_users(workspace, path)


async def _check_complete(workspace: AsyncConnection, path: Path) -> None:
    cursor = await workspace.execute(
        "select code, count(*) from heller_staging.choices where choice = 'undecided' group by code order by code"
    )
    undecided = await cursor.fetchall()
    if undecided:
        listed = ", ".join(f"{code} ({count:,})" for code, count in undecided)
        raise DecisionsNeeded(
            f"These questions must be decided before credits move: {listed}.",
            hint=f"Fill in {path}, or take the recommended choices with --decide recommended.",
            decisions=str(path),
            open_questions=sum(count for _, count in undecided),
        )


async def _check_users(workspace: AsyncConnection, path: Path) -> None:
    cursor = await workspace.execute(
        """
        select c.code, c.key, substr(c.choice, 6), p.id is null
        from heller_staging.choices c
        left join heller_staging.people p on p.id = substr(c.choice, 6)
        left join heller_staging.choices m on m.code = 'ghost_user' and m.key = p.id and m.choice like 'user:%'
        where c.choice like 'user:%' and (p.id is null or m.key is not null)
        order by 1, 2 limit 1
        """
    )
    row = await cursor.fetchone()
    if row is not None:
        code, key, user, is_unknown = row
        why = "there is no such user" if is_unknown else "that user is itself merged into another"
        raise MappingError(
            f"{path}, {code}, row {key!r}: user:{user}, but {why}.", hint="Name a users.id of the source."
        )


async def unused_rows(workspace: AsyncConnection) -> list[str]:
    """Decided rows that match no finding: a typing error, or the source was repaired since."""
    cursor = await workspace.execute(
        """
        select d.code || '.' || substr(d.key, 2) from heller_staging.decided d
        where d.key <> '' and not exists (
          select from heller_staging.findings f where f.code = d.code and '=' || f.key = d.key)
        order by 1 limit 100
        """
    )
    return [row[0] for row in await cursor.fetchall()]
