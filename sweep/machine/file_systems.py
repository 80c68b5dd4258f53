"""The kind of file system that a file lies on: of this machine, or of the network."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from sweep.machine.disk import existing

NETWORK = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB",
    0x0BD00BD0: "Lustre",
    0x47504653: "GPFS",
    0x19830326: "BeeGFS",
    0x00C36400: "CephFS",
    0x20030528: "OrangeFS",
    0xAAD7AAEA: "PanFS",
    0x5346414F: "AFS",
    0x6B414653: "AFS",
    0x73757245: "Coda",
    0x01021997: "9p",
    0x01161970: "GFS2",
    0x7461636F: "OCFS2",
}
"""Names by the type that statfs(2) tells: the magic numbers of Linux and of the projects."""
FUSE = 0x65735546
"""A file system in user space, which may be anything: its mount tells which one."""
NETWORK_FUSE = {
    "beegfs": "BeeGFS",
    "ceph-fuse": "CephFS",
    "gcsfuse": "gcsfuse",
    "glusterfs": "GlusterFS",
    "goofys": "goofys",
    "juicefs": "JuiceFS",
    "lustre": "Lustre",
    "rclone": "rclone",
    "s3fs": "s3fs",
    "sshfs": "sshfs",
}
"""Names by what follows `fuse.` in the type of a mount, or by the type itself."""
_MOUNTS = Path("/proc/self/mountinfo")


def type_of(path: Path) -> int:
    """The type of a path's file system, as statfs(2) tells it; 0 if that cannot be known."""
    if sys.platform != "linux":
        return 0
    room = ctypes.create_string_buffer(256)  # struct statfs has 120 bytes, its type comes first
    if ctypes.CDLL(None, use_errno=True).statfs(os.fsencode(path), room) != 0:
        return 0
    return ctypes.c_long.from_buffer(room).value & 0xFFFFFFFF


def mounted_as(path: Path, mounts: Path = _MOUNTS) -> str:
    """The type of the mount that a path lies on, such as `fuse.sshfs`; empty if unknown.

    See proc_pid_mountinfo(5); the last mount on the longest folder counts.
    """
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return ""
    found = ("", "")
    for line in lines:
        before, _, after = line.partition(" - ")
        words, place = after.split(), before.split()[4].replace("\\040", " ")
        if words and path.is_relative_to(place) and len(place) >= len(found[0]):
            found = (place, words[0])
    return found[1]


def network_file_system(path: Path) -> str | None:
    """The name of the network file system that a path lies on, such as NFS; None if it is local.

    The path need not exist yet.
    """
    there = existing(path).resolve()
    kind = type_of(there)
    if kind == FUSE:
        return NETWORK_FUSE.get(mounted_as(there).removeprefix("fuse."))
    return NETWORK.get(kind)
