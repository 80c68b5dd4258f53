"""A machine without what Linux has, as text that a process runs before it imports our code."""

from __future__ import annotations

WITHOUT_LINUX = """
import builtins, io, os, signal

def without(function):
    def call(path, *words, **named):
        if isinstance(path, (str, os.PathLike)) and os.fspath(path).startswith(("/proc", "/sys/fs")):
            raise FileNotFoundError(2, "No such file or directory", os.fspath(path))
        return function(path, *words, **named)
    return call

io.open = builtins.open = without(io.open)
for name in ("stat", "lstat", "scandir", "listdir", "open"):
    setattr(os, name, without(getattr(os, name)))
del os.sched_getaffinity, os.pidfd_open, signal.pidfd_send_signal
"""
"""There is no /proc, no cgroups, no pidfd and no affinity."""
