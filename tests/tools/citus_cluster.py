"""Starts a Citus cluster on this machine: a coordinator and workers, ready for ``HELLER_TEST_DATABASE_URL``.

``python tests/tools/citus_cluster.py start --pginstall /tmp/citus/pg --folder /tmp/heller-citus`` prints the coordinator's URL;
``stop`` with the same folder ends it. ``docs/decisions/0005-citus.md`` says how Citus is built. Everybody on the machine may
connect without a password: it is for tests and measurements only.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

USER = "postgres"
HOST = "127.0.0.1"
SETTINGS = {
    "shared_preload_libraries": "'citus'",
    "listen_addresses": f"'{HOST}'",
    "max_connections": "300",
    "max_prepared_transactions": "300",  # a transaction on two servers is prepared on each
    "max_worker_processes": "100",  # Citus keeps one for each database
    "shared_buffers": "'128MB'",
    "wal_level": "logical",
    "log_min_messages": "warning",
    "citus.max_cached_conns_per_worker": "4",
    "citus.node_conninfo": "'sslmode=prefer'",
}
# Data that need not outlive a crash of the machine: twice as fast to test with, and wrong to measure with.
FAST = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


def run(pginstall: Path, program: str, *arguments: object) -> str:
    """The output of one of PostgreSQL's programs."""
    done = subprocess.run(
        [pginstall / "bin" / program, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"{program} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def psql(pginstall: Path, port: int, database: str, *statements: str) -> None:
    """Run statements in a database of one server, each in a transaction of its own."""
    each = [part for statement in statements for part in ("-c", statement)]
    run(pginstall, "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", HOST, "-p", port, "-U", USER, "-d", database, *each)  # fmt: skip


def start(options: argparse.Namespace) -> str:
    """Make what is not there, start the servers, and introduce them to each other in every database to come."""
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    ports = [options.port + number for number in range(options.workers + 1)]
    is_new = not (folder / "node-0").exists()
    for number, port in enumerate(ports):
        node = folder / f"node-{number}"
        if is_new:
            run(options.pginstall, "initdb", "-D", node, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")  # fmt: skip
            settings = SETTINGS | {"port": str(port), "unix_socket_directories": f"'{folder}'"}
            settings |= {"citus.shard_count": str(options.shards)} | (FAST if options.fast else {})
            lines = [f"{name} = {value}\n" for name, value in settings.items()]
            (node / "postgresql.auto.conf").write_text("".join(lines))
        run(options.pginstall, "pg_ctl", "-D", node, "-l", folder / f"node-{number}.log", "-w", "start")
    if is_new:
        introduce(options.pginstall, ports)
    return f"postgresql://{USER}@{HOST}:{ports[0]}/postgres"


def introduce(pginstall: Path, ports: list[int]) -> None:
    """In the template, so that each database created on all servers is a cluster already."""
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
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument(
        "--pginstall", type=Path, required=True, help="PostgreSQL with Citus: bin, lib, share"
    )
    parser.add_argument("--folder", type=Path, required=True, help="where the servers keep their data")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--port", type=int, default=45430, help="the coordinator's; the workers' follow")
    parser.add_argument(
        "--shards", type=int, default=4, help="of each distributed table; Citus' own default is 32"
    )
    parser.add_argument("--fast", action="store_true", help="do not wait for the disk")
    options = parser.parse_args()
    if os.geteuid() == 0:
        sys.exit("PostgreSQL does not run as root; use another user: runuser -u postgres -- python ...")
    if options.action == "start":
        print(start(options))
    else:
        stop(options)


if __name__ == "__main__":
    main()
