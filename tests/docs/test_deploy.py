"""What is in deploy/ holds together: names of settings, commands, images; and the roles do what they say."""

import inspect
import json
import math
import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
import yaml
from psycopg import sql

from heller import Heller, embedded, metrics, schema
from heller.cli.root import COMMANDS
from heller.errors import PermissionMissing
from heller.stripe import rounds
from heller.worker import Worker

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
YAML = sorted([*DEPLOY.rglob("*.yaml"), *DEPLOY.rglob("*.yml")])


def settings() -> set[str]:
    """Every variable that the program reads, from the page that is made of the code."""
    page = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([A-Z_]+)`", page, flags=re.MULTILINE))


def documents(path: Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(DEPLOY)))
def test_yaml_parses(path: Path) -> None:
    assert documents(path)


def test_every_variable_that_a_file_sets_is_one_that_the_program_reads() -> None:
    files = [path for path in DEPLOY.rglob("*") if path.is_file() and path.suffix != ".sql"]
    named = {
        (path.name, name)
        for path in files
        for name in re.findall(
            r"\b((?:HELLER|STRIPE)_[A-Z_]+|(?:LEGACY_)?DATABASE_URL)\b", path.read_text(encoding="utf-8")
        )
    }
    assert len(named) > 20
    assert {(file, name) for file, name in named if name not in settings()} == set()


def containers(pod: dict) -> list[dict]:
    return [*pod.get("initContainers", []), *pod["containers"]]


def test_kubernetes_pods_run_our_image_unprivileged_with_commands_that_exist() -> None:
    resources = documents(DEPLOY / "kubernetes" / "kustomization.yaml")[0]["resources"]
    objects = [thing for name in resources for thing in documents(DEPLOY / "kubernetes" / name)]
    pods = {
        o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in objects if o["kind"] == "Deployment"
    }
    assert pods.keys() == {"heller-serve", "heller-worker"}
    for pod in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["enableServiceLinks"] is False, "the service heller would set HELLER_PORT=tcp://..."
        for container in containers(pod):
            assert container["image"] == "heller"
            assert container["args"][0] in COMMANDS
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
    (serve,) = pods["heller-serve"]["containers"]
    assert serve["readinessProbe"]["httpGet"]["path"] == "/ready"
    secrets = {
        s["metadata"]["name"]: s["stringData"]
        for s in documents(DEPLOY / "kubernetes" / "secret.example.yaml")
    }
    used = {
        ref["secretRef"]["name"] for pod in pods.values() for c in containers(pod) for ref in c["envFrom"]
    }
    assert used == secrets.keys()
    assert "owner" not in secrets["heller"]["DATABASE_URL"]
    (service,) = [o for o in objects if o["kind"] == "Service"]
    (deployment,) = [
        o for o in objects if o["metadata"]["name"] == "heller-serve" and o["kind"] == "Deployment"
    ]
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    if kubectl := shutil.which("kubectl"):
        done = subprocess.run(
            [kubectl, "kustomize", DEPLOY / "kubernetes"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "registry.example.com/heller:" in done.stdout


def test_compose_and_render_start_the_schema_before_what_needs_it() -> None:
    (compose,) = documents(DEPLOY / "compose.yaml")
    services = compose["services"]
    assert {services[name]["command"][0] for name in ("schema", "serve", "worker")} <= COMMANDS.keys()
    for name in ("serve", "worker"):
        assert services[name]["depends_on"]["schema"]["condition"] == "service_completed_successfully"
    assert (DEPLOY / ".." / services["serve"]["build"]["dockerfile"]).exists()
    (render,) = documents(DEPLOY / "render.yaml")
    by_type = {service["type"]: service for service in render["services"]}
    assert by_type["web"]["preDeployCommand"] == "heller schema apply"
    assert by_type["web"]["healthCheckPath"] == "/ready"
    for service in by_type.values():
        assert (ROOT / service["dockerfilePath"]).exists()
        assert service["dockerCommand"].split()[1] in COMMANDS
    web_keys = {variable["key"] for variable in by_type["web"]["envVars"]}
    taken = {v["fromService"]["envVarKey"] for v in by_type["worker"]["envVars"] if "fromService" in v}
    assert taken <= web_keys


def test_container_copies_what_exists_and_installs_with_hashes() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
    assert "--require-hashes -r requirements/runtime.txt" in text
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for needed in project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]:
        assert f"COPY {needed} " in text, "the wheel cannot be built without it"
    assert "USER 10001" in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_systemd_units_are_valid(tmp_path: Path) -> None:
    units = []
    for unit in (DEPLOY / "systemd").glob("*.service"):
        text = unit.read_text(encoding="utf-8").replace("/opt/heller/bin/heller", "/bin/true")
        (tmp_path / unit.name).write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
        units.append(str(tmp_path / unit.name))
    assert len(units) == 2
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_restart_script_is_a_script() -> None:
    assert os.access(DEPLOY / "restart.sh", os.X_OK)
    assert subprocess.run(["sh", "-n", DEPLOY / "restart.sh"], check=False).returncode == 0


@pytest.fixture
def roles(server_url: str, empty_database: str) -> Iterator[dict[str, str]]:
    """The URL of each role of roles.sql on an empty database, under names of this test's own."""
    mark = uuid4().hex[:8]
    names = {role: f"{role}_{mark}" for role in ("owner", "web", "worker", "reports")}
    script(empty_database, names)
    url = urlsplit(empty_database)
    _, _, host = url.netloc.rpartition("@")
    yield (
        {role: urlunsplit(url._replace(netloc=f"{name}:secret@{host}")) for role, name in names.items()}
        | {"admin": empty_database}
        | {f"{role} name": name for role, name in names.items()}
    )
    with psycopg.connect(empty_database, autocommit=True) as connection:
        for name in names.values():
            connection.execute(sql.SQL("drop owned by {} cascade").format(sql.Identifier(name)))
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


def script(url: str, names: dict[str, str], file: str = "roles.sql") -> None:
    given = [
        part
        for role, name in names.items()
        for part in ("-v", f"{role}={name}", "-v", f"{role}_password=secret")
    ]
    psql = str(embedded.program("psql"))
    done = subprocess.run(
        [psql, "-q", *given, "-f", str(DEPLOY / file), url], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr


async def refused(url: str, statement: str) -> bool:
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute(
            "set default_transaction_read_only = off"
        )  # anybody may; rights are what counts
        try:
            await connection.execute(statement)  # type: ignore[arg-type]
        except psycopg.errors.InsufficientPrivilege:
            return True
        return False


async def test_roles_may_do_their_work_and_nothing_else(roles: dict[str, str]) -> None:
    await schema.apply(roles["owner"])
    script(roles["admin"], {role: roles[f"{role} name"] for role in ("owner", "web", "worker", "reports")})
    async with Heller.connect(roles["web"]) as heller:
        await heller.open_account("ann")
        await heller.grant("ann", 5, source="promotion")
        assert (await heller.spend("ann", 2)).balance_after == 3
    assert not await refused(roles["reports"], "select * from heller.account_balances")
    for role in ("web", "worker", "reports"):
        assert await refused(roles[role], "select * from heller.accounts")
        assert await refused(roles[role], "create table heller.mine (n int)")
        assert await refused(roles[role], "create schema mine")
        with pytest.raises(PermissionMissing):
            await schema.apply(roles[role])
    assert await refused(roles["reports"], "select heller.spend('ann', 1)")


async def test_the_reader_of_a_legacy_database_may_only_read(empty_database: str) -> None:
    name = f"reader_{uuid4().hex[:8]}"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("create table users (id int primary key, credits_balance int)")
        script(empty_database, {"reader": name}, "roles-legacy.sql")
        url = urlsplit(empty_database)
        theirs = urlunsplit(url._replace(netloc=f"{name}:secret@{url.netloc.rpartition('@')[2]}"))
        assert not await refused(theirs, "select * from users")
        assert await refused(theirs, "update users set id = 1")
        connection.execute(sql.SQL("drop owned by {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("drop role {}").format(sql.Identifier(name)))


RULES = [
    rule for group in documents(DEPLOY / "prometheus" / "alerts.yml")[0]["groups"] for rule in group["rules"]
]
DASHBOARD = json.loads((DEPLOY / "grafana" / "heller.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [rule["expr"] for rule in RULES] + [t["expr"] for panel in PANELS for t in panel["targets"]]


def figures() -> dict[str, tuple[str, ...]]:
    """The name of each metric as Prometheus sees it, and its labels."""
    every = (metrics.UP, *metrics.FIGURES.values())
    return {f.name + ("_total" if f.kind == "counter" else ""): f.labels for f in every}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_expressions_name_metrics_and_labels_that_exist(expression: str) -> None:
    known = figures()
    assert set(re.findall(r"\bheller_\w+", expression)) <= known.keys()
    for name, matchers in re.findall(r"\b(heller_\w+)\{([^}]*)\}", expression):
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', matchers):
            assert label in known[name]
            if label == "state":
                assert set(values.split("|")) <= set(metrics.ROLLOUT_STATES)
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {label.strip() for label in labels.split(",")} <= {
            label for all_ in known.values() for label in all_
        }
    assert expression.count("(") == expression.count(")")
    for name in re.findall(r"(?:rate|increase)\((heller_\w+)", expression):
        assert name.endswith("_total"), "only counters have a rate"


def test_every_alert_says_what_it_is_how_bad_and_what_to_do() -> None:
    page = (ROOT / "docs" / "operate" / "monitoring.md").read_text(encoding="utf-8")
    assert len({rule["alert"] for rule in RULES}) == len(RULES) > 10
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"operate/monitoring.md#{rule['alert'].lower()}"
        assert f"### {rule['alert']}\n" in page
    assert set(re.findall(r"^### (\w+)$", page, flags=re.MULTILINE)) == {rule["alert"] for rule in RULES}
    for rule in RULES:
        used = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        assert used <= set(re.findall(r"\w+", rule["expr"]))


def test_no_label_is_one_that_prometheus_gives_itself() -> None:
    assert not {"job", "instance"} & {label for labels in figures().values() for label in labels}


CASES = documents(DEPLOY / "prometheus" / "alerts.test.yml")[0]["tests"]


def test_every_alert_has_a_case_where_it_fires_and_one_where_it_is_quiet() -> None:
    asked = {(ask["alertname"], "exp_alerts" in ask) for case in CASES for ask in case["alert_rule_test"]}
    assert asked == {(rule["alert"], fires) for rule in RULES for fires in (True, False)}


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not on this machine: make test-tools"
)
@pytest.mark.parametrize(
    "arguments",
    [
        ("test", "rules", "alerts.test.yml"),
        ("check", "rules", "alerts.yml"),
        ("check", "config", "--syntax-only", "prometheus.yml"),
    ],
    ids=" ".join,
)
def test_prometheus_takes_the_files_and_each_alert_does_what_its_case_says(
    arguments: tuple[str, ...],
) -> None:
    done = subprocess.run(
        ["promtool", *arguments], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_job_is_late_only_after_twice_its_period_or_two_hours_more() -> None:
    """Each job that any worker does is in exactly one of the rule's classes."""
    worker = Worker("", None, None, None, api=object(), legacy_url="", name="")  # type: ignore[arg-type]  # only asked for its jobs
    periods = {job.name: job.every_seconds for job in worker.jobs if job.lease_seconds is not None}
    for name, constant in re.findall(r"_Round\(\s*\"(\w+)\", (\w+)", inspect.getsource(rounds.once)):
        periods[f"stripe {name}"] = getattr(rounds, constant)
    assert {"due", "rollout", "stripe night"} <= periods.keys()
    (rule,) = [rule for rule in RULES if rule["alert"] == "HellerJobLate"]
    classes = re.findall(r'job_name=~?"([^"]+)"\}\) > ([\d *]+)', rule["expr"])
    for name, period in periods.items():
        (limit,) = [limit for pattern, limit in classes if re.fullmatch(pattern, name)]
        assert math.prod(int(factor) for factor in limit.split("*")) >= min(2 * period, period + 7200), name


def test_dashboard_shows_every_metric_but_up_and_its_panels_do_not_overlap() -> None:
    shown = {
        name for panel in PANELS for t in panel["targets"] for name in re.findall(r"\bheller_\w+", t["expr"])
    }
    assert figures().keys() - shown == {"heller_up"}
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    cells = [
        (x, y)
        for panel in DASHBOARD["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
