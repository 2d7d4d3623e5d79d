"""The work process: it loads everything once, then does each task in a fork of its own with limits on it.

A fork that runs out of memory or processor time, or that dies of what it reads, takes nothing with it.
"""

import ctypes
import gc
import logging
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

import msgspec

from resume_matcher.errors import MatcherError
from resume_matcher.matching import embedding
from resume_matcher.matching.vocabulary import vocabulary
from resume_matcher.work.frames import packed, read
from resume_matcher.work.tasks import TASKS

MEMORY_BYTES_MAX = 512 * 1024 * 1024  # on top of what is loaded
CPU_SECONDS_MAX = 20
_OUT_OF_MEMORY = 3
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Answer frames from standard input until it ends."""
    _die_with_parent()
    logging.disable(logging.CRITICAL)
    embedding.load()
    embedding.embed(["warm"])
    vocabulary()
    gc.freeze()  # the forks share these pages
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    answers.write(packed({"ready": True}))
    while (request := read(sys.stdin.buffer)) is not None:
        _write(answers.fileno(), _in_fork(request))


def _in_fork(request: bytes) -> bytes:
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receive)
        os._exit(_work(request, send))
    os.close(send)
    with os.fdopen(receive, "rb") as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    return answer if status == 0 else packed(_failure(status))


def _work(request: bytes, send: int) -> int:
    """Do one task in the fork; the exit code."""
    try:
        _die_with_parent()
        _limit()
        message = msgspec.msgpack.decode(request)
        answer: dict[str, Any] = {"value": TASKS[message["task"]](**message["arguments"])}
    except MatcherError as error:
        answer = {"error": error.code, "message": error.message, "hint": error.hint, "reason": error.reason}
    except MemoryError:
        return _OUT_OF_MEMORY
    except BaseException as error:  # noqa: BLE001  # whatever it was, the parent says that the work failed
        answer = {
            "error": "work_failed",
            "message": f"The work failed: {type(error).__name__}.",
            "hint": "",
            "reason": "defect",
        }
    try:
        _write(send, packed(answer))
    except MemoryError:
        return _OUT_OF_MEMORY
    return 0


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _limit() -> None:
    loaded = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    memory = loaded + MEMORY_BYTES_MAX
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _failure(status: int) -> dict[str, str]:
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL}:
        return {
            "error": "work_timed_out",
            "message": f"The work took more than {CPU_SECONDS_MAX} seconds of processor time.",
            "hint": "Try a simpler file.",
            "reason": "time",
        }
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == _OUT_OF_MEMORY:
        return {
            "error": "work_failed",
            "message": f"The work needed more than {MEMORY_BYTES_MAX // 1_048_576} MB of memory.",
            "hint": "Try a smaller or simpler file.",
            "reason": "memory",
        }
    return {
        "error": "work_failed",
        "message": "The work process ended without an answer.",
        "hint": "Try again.",
        "reason": "crashed",
    }


if __name__ == "__main__":
    main()
