"""``heller`` for the pages' sessions: one process imports the program once and forks for each command.

The commands are the real ones, each in a process of its own; only the second that imports take is saved.
Started as ``python forked.py SOCKET``, it serves until its standard input closes. As ``python -S forked.py``'s
client side, see ``CLIENT``: a few lines that hand over arguments, environment, folder and the three streams.
"""

import array
import contextlib
import gc
import json
import os
import socket
import sys
import threading

CLIENT = r"""#!{python} -SE
import array, json, os, signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect({path!r})
said = json.dumps([sys.argv, dict(os.environ), os.getcwd()]).encode()
s.sendmsg([len(said).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
s.sendall(said)
pid = int.from_bytes(s.recv(4), "big")
for name in (signal.SIGTERM, signal.SIGINT):
    signal.signal(name, lambda number, frame: os.kill(pid, number))
sys.exit((s.recv(1) or b"\x7f")[0])
"""

CURL = r"""#!{python}
import argparse, sys, urllib.error, urllib.request
asked = argparse.ArgumentParser()
asked.add_argument("url")
asked.add_argument("--silent", action="store_true")
asked.add_argument("--header", "-H", action="append", default=[])
asked.add_argument("--data", "-d")
asked = asked.parse_args()
headers = dict(header.split(": ", 1) for header in asked.header)
request = urllib.request.Request(asked.url, None if asked.data is None else asked.data.encode(), headers)
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
except OSError:
    sys.exit(7)
sys.stdout.buffer.write(answer.read())
"""
"""What the pages use of curl, for machines that have none."""


def _take(connection: socket.socket) -> tuple[list[str], dict[str, str], str, list[int]]:
    streams = array.array("i")
    said, controls, _, _ = connection.recvmsg(4, socket.CMSG_SPACE(3 * streams.itemsize))
    for _level, _type, data in controls:
        streams.frombytes(data[: len(data) - len(data) % streams.itemsize])
    length, body = int.from_bytes(said, "big"), b""
    while len(body) < length:
        body += connection.recv(length - len(body))
    arguments, environment, folder = json.loads(body)
    return arguments, environment, folder, list(streams)


def _become(arguments: list[str], environment: dict[str, str], folder: str, streams: list[int]) -> None:
    """The forked process: be that command."""
    from heller.cli.main import run  # noqa: PLC0415 - imported before the fork, so this costs nothing

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = arguments
    sys.stdin, sys.stdout, sys.stderr = (open(n, "rw"[n > 0], encoding="utf-8") for n in range(3))  # noqa: PTH123, SIM115
    run()


def _serve(connection: socket.socket) -> None:
    given = _take(connection)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            _become(*given)
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:  # noqa: BLE001 - whatever it is, the session shows it
            sys.excepthook(*sys.exc_info())
            code = 1
        finally:
            with contextlib.suppress(Exception):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)
    for stream in given[3]:
        os.close(stream)
    connection.sendall(pid.to_bytes(4, "big"))
    threading.Thread(target=_wait, args=(pid, connection), daemon=True).start()


def _wait(pid: int, connection: socket.socket) -> None:
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(OSError), connection:
        connection.sendall(bytes([code if code >= 0 else 128 - code]))


def main() -> None:
    """Import, listen, fork."""
    import importlib  # noqa: PLC0415 - only the server needs it

    from heller.cli import root as program  # noqa: PLC0415 - as above

    for target in program.COMMANDS.values():  # one that cannot be imported fails where a page calls it
        with contextlib.suppress(Exception):
            importlib.import_module(f"heller.cli.{target.split(':')[0]}")
    gc.freeze()  # the forks share what is there
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(sys.argv[1])
        server.listen(16)
        threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
        print("ready", flush=True)
        while True:
            _serve(server.accept()[0])


if __name__ == "__main__":
    main()
