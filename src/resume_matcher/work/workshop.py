"""The application's side: a few work processes, one task at a time in each, replaced when they do not answer."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from resume_matcher.errors import KINDS, WorkFailed, WorkTimedOut
from resume_matcher.matching.aliases import VARIABLE
from resume_matcher.work.frames import packed, read_async

SIZE = 2
TASK_SECONDS_MAX = 30.0
START_SECONDS_MAX = 60.0
_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PYTHONUTF8": "1",
}
_KEPT = ("PATH", "PYTHONPATH", "LANG", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", VARIABLE)


class Workshop:
    """Bounded work: ``size`` tasks at once, the others wait their turn."""

    def __init__(self, size: int = SIZE, *, task_seconds_max: float = TASK_SECONDS_MAX) -> None:
        self._free: asyncio.Queue[_Bench] = asyncio.Queue()
        self._benches = [_Bench(task_seconds_max) for _ in range(size)]
        for bench in self._benches:
            self._free.put_nowait(bench)

    @classmethod
    @asynccontextmanager
    async def open(
        cls, size: int = SIZE, *, task_seconds_max: float = TASK_SECONDS_MAX
    ) -> AsyncIterator["Workshop"]:
        """A workshop whose processes are started and, at the end, gone."""
        workshop = cls(size, task_seconds_max=task_seconds_max)
        try:
            await asyncio.gather(*(bench.start() for bench in workshop._benches))
            yield workshop
        finally:
            await asyncio.gather(*(bench.stop() for bench in workshop._benches))

    async def do(self, task: str, **arguments: Any) -> Any:
        """One task's answer.

        Raises:
            MatcherError: what the task refuses, as its own error.
            WorkTimedOut, WorkFailed: it took too long, or too much memory, or died.
        """
        bench = await self._free.get()
        try:
            answer = await bench.ask({"task": task, "arguments": arguments})
        finally:
            self._free.put_nowait(bench)
        if "error" in answer:
            kind = KINDS.get(answer["error"], WorkFailed)
            raise kind(answer["message"], hint=answer["hint"], reason=answer["reason"])
        return answer["value"]


class _Bench:
    """One work process."""

    def __init__(self, task_seconds_max: float) -> None:
        self._task_seconds_max = task_seconds_max
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> asyncio.subprocess.Process:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _ENVIRONMENT
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "resume_matcher.work.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        self._process = process
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await read_async(_reader(process))
        except (TimeoutError, asyncio.IncompleteReadError) as error:
            await self.stop()
            raise WorkFailed("The work process did not start.", reason="start") from error
        return process

    async def ask(self, message: dict[str, Any]) -> Any:
        process = self._process
        if process is None or process.returncode is not None:
            process = await self.start()
        is_answered = False
        try:
            async with asyncio.timeout(self._task_seconds_max):
                writer = process.stdin
                if writer is None:
                    raise WorkFailed("The work process has no input.", reason="start")
                writer.write(packed(message))
                await writer.drain()
                answer = await read_async(_reader(process))
                is_answered = True
                return answer
        except TimeoutError as error:
            raise WorkTimedOut(
                f"The work took more than {self._task_seconds_max:g} seconds.",
                hint="Try a simpler file.",
                reason="time",
            ) from error
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise WorkFailed("The work process died.", hint="Try again.", reason="crashed") from error
        finally:
            if not is_answered:  # also when the caller gave up: a late answer must not meet the next question
                await self.stop()

    async def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        if process.stdin is not None:
            process.stdin.close()


def _reader(process: asyncio.subprocess.Process) -> asyncio.StreamReader:
    if process.stdout is None:
        raise WorkFailed("The work process has no output.", reason="start")
    return process.stdout
