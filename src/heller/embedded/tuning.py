"""Settings for PostgreSQL on a workstation: a fair share of the memory, the default durability."""

import contextlib
import os
from pathlib import Path

MB = 1_048_576
SHARED_MEMORY_MB_MIN = 512  # a container's /dev/shm of 64 MB is too small for parallel queries
CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def memory_mb() -> int:
    """The memory this process may use: the machine's, or the container's if that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with contextlib.suppress(OSError, ValueError):  # no such limit, or the word "max"
        total = min(total, int(CGROUP_LIMIT.read_text()))
    return total // MB


def _shared_memory_mb() -> int:
    try:
        found = os.statvfs("/dev/shm")  # noqa: S108 - measured, not written
    except OSError:
        return 0
    return found.f_bsize * found.f_blocks // MB


def options() -> dict[str, str]:
    """The settings; everything that is not here stays as PostgreSQL ships it, fsync above all."""
    memory = memory_mb()
    chosen = {
        "max_connections": "200",
        "shared_buffers": f"{min(max(memory // 8, 64), 1024)}MB",
        "effective_cache_size": f"{max(memory // 2, 128)}MB",
        "maintenance_work_mem": f"{min(max(memory // 32, 32), 512)}MB",
        "work_mem": "16MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "jit": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
    }
    if _shared_memory_mb() < SHARED_MEMORY_MB_MIN:
        chosen["dynamic_shared_memory_type"] = "mmap"
    return chosen
