"""Running requests through memory controllers from Python."""

from __future__ import annotations

import numpy as np

from archsim.machine.dram_bank_queues import N_BANK_FIELDS, N_BANKS, REQUEST_FIELDS, serve_bank_queues
from archsim.machine.dram_channels import Controllers
from archsim.machine.dram_source import Z_FIELDS, Z_TOTAL, serve


def run_requests(
    controllers: Controllers, addresses: np.ndarray, writes: np.ndarray, window: int = 64, sends: int = 2
) -> int:
    """Serve requests of one burst each, in order, from tick 0 on.

    Args:
        controllers: fresh ones; they keep the counts.
        addresses: where.
        writes: 1 for each request that writes.
        window: requests on their way at most.
        sends: requests per tick at most.

    Returns:
        The tick at which the last one ended.
    """
    where, write = np.ascontiguousarray(addresses, np.int64), np.ascontiguousarray(writes, np.int64)
    source = np.zeros(Z_FIELDS, np.int64)
    source[Z_TOTAL] = count = len(where)
    arrays = controllers.address, where.ctypes.data, write.ctypes.data
    if controllers.policy.scheduler == "queues":
        return int(serve(*arrays, count, 0, count, count + 1, window, sends, source.ctypes.data))
    requests = np.zeros(count * REQUEST_FIELDS, np.int64)
    size = N_BANKS + controllers.banks * N_BANK_FIELDS
    queues = np.zeros(controllers.channels * size, np.int64)
    return int(
        serve_bank_queues(
            *arrays, count, window, sends, source.ctypes.data, requests.ctypes.data, queues.ctypes.data, size
        )
    )
