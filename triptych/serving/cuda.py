"""The GPU that CUDA would use here, asked of NVIDIA's driver itself: no package has to be installed for that.

The driver's own order counts, with CUDA_VISIBLE_DEVICES: NVML numbers the GPUs of a host in another one.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

DRIVER = "libcuda.so.1"
CAPABILITY = (75, 76)
"""Numbers of CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR and _MINOR in cuda.h."""
NAME_BYTES = 256


@dataclass(frozen=True)
class Gpu:
    """A GPU as its driver names it, and its compute capability, such as (9, 0)."""

    name: str
    capability: tuple[int, int]


def gpu() -> Gpu | None:
    """Return the first GPU that CUDA sees; None where there is no driver, or it sees none."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return None
    device, name = ctypes.c_int(), ctypes.create_string_buffer(NAME_BYTES)
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        return None
    if driver.cuDeviceGetName(name, NAME_BYTES, device):
        return None
    numbers = [ctypes.c_int() for _ in CAPABILITY]
    for number, attribute in zip(numbers, CAPABILITY):
        if driver.cuDeviceGetAttribute(ctypes.byref(number), attribute, device):
            return None
    major, minor = (number.value for number in numbers)
    return Gpu(name.value.decode(errors="replace"), (major, minor))
