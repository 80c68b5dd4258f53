"""The connection to a Ray cluster, and its nodes."""

from __future__ import annotations

import os
import socket

from sweep.executors.ray import actor as ray_actor
from sweep.executors.ray.checks import one_line
from sweep.executors.ray.places import ClusterNode
from sweep.executors.ray.settings import RaySettings

CONNECT_SECONDS = 10.0
"""Seconds in which a machine must accept a connection."""
ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_BACKEND_LOG_LEVEL": "error",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
"""For Ray in this process; it must be set before Ray is imported."""


class ConnectionFailedError(Exception):
    """The cluster cannot be used; the message is a sentence for people."""


def connect(settings: RaySettings) -> None:
    """Connect to the cluster. Raises ConnectionFailedError."""
    address = settings.address
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS", address)
    check_address(address)
    os.environ.update(ENVIRONMENT)
    import ray

    try:
        ray.init(
            address=address,
            namespace=settings.namespace,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, RuntimeError, ValueError, AssertionError) as error:
        raise ConnectionFailedError(
            f"the Ray cluster at {address} cannot be used: {one_line(error)}"
        ) from error
    ray.cloudpickle.register_pickle_by_value(ray_actor)


def check_address(address: str) -> None:
    """Raise ConnectionFailedError if nothing listens at an address. Ray would retry for minutes."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in host:
        raise ConnectionFailedError(
            f"--ray-address is HOST:PORT of the cluster's head node, such as 10.0.0.1:6379, or "
            f"`auto` for the cluster that this machine belongs to, not {address!r}"
        )
    try:
        with socket.create_connection((host, int(port)), CONNECT_SECONDS):
            return
    except OSError as error:
        raise ConnectionFailedError(
            f"nothing answers at {address} ({error.strerror or error}); `ray status` on a node of "
            "the cluster tells its address, and `ray start --head` starts a cluster"
        ) from error


def alive_nodes() -> list[ClusterNode]:
    """The nodes of the cluster that are alive, with what is free there."""
    import ray
    from ray._private.state import available_resources_per_node

    free = available_resources_per_node()
    return [
        ClusterNode(
            id=node["NodeID"],
            address=node["NodeManagerAddress"],
            total=node["Resources"],
            free=free.get(node["NodeID"], {}),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
