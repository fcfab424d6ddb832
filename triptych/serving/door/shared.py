"""Clips that lie in memory of a client on this host: what may be taken from there, and how it is opened.

A request brings a reference in the place of the clip (`triptych_client.shared_memory`): a process, a descriptor and a
key. Triton never hears of it. The door maps the memory to read it, and only what is sealed: its bytes cannot change any
more, and no access to them can fail. Over a connection of this host anybody may call, so two things are asked: that the
process is of the service's own user, as the kernel asks too, unless that is root; and that the memory begins with the
key, which only its maker knows, so that a caller cannot name the memory of another.
"""

from __future__ import annotations

import fcntl
import hmac
import mmap
import os
import stat
from dataclasses import dataclass, replace
from ipaddress import IPv6Address, ip_address
from typing import Any
from urllib.parse import unquote

from grpc import StatusCode

from triptych.serving import metrics
from triptych.serving.door.admission import Refusal
from triptych.serving.door.parcel import OFFSET, REGION, SIZE, Parcel
from triptych_client.shared_memory import KEY_BYTES, Reference

SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
PLACES = frozenset((REGION, OFFSET, SIZE))


@dataclass(frozen=True)
class SharedClips:
    """Whether clips may come by reference, and how large they may be."""

    allowed: bool
    max_bytes: int

    def fetched(self, parcel: Parcel, peer: str) -> Parcel:
        """Return a parcel with the clip that it refers to; as it is when it brings its own. `peer` is gRPC's.

        Refusal, FAILED_PRECONDITION, when the clip must be sent instead; INVALID_ARGUMENT for what nobody may ask.
        """
        inputs = [tensor for tensor in parcel.around.inputs if PLACES & {*tensor.parameters}]
        if any(PLACES & {*tensor.parameters} for tensor in parcel.around.outputs):
            raise Refusal(StatusCode.INVALID_ARGUMENT, "request", "no answer is written into shared memory")
        if not inputs:
            return parcel
        if not self.allowed:
            raise _refusal("this server takes no clips from shared memory (triptych serve --client-shared-memory)")
        if not is_local(peer):
            raise _refusal("clips are taken from shared memory of this host only")
        if len(parcel.around.inputs) != 1 or parcel.contents:
            raise Refusal(StatusCode.INVALID_ARGUMENT, "request", "one clip is taken from shared memory, and no more")
        return self._with_clip(parcel)

    def _with_clip(self, parcel: Parcel) -> Parcel:
        around = type(parcel.around)()
        around.CopyFrom(parcel.around)
        place = around.inputs[0].parameters
        reference = Reference.parsed(place[REGION].string_param)
        if reference is None or place[OFFSET].int64_param != KEY_BYTES:
            raise Refusal(StatusCode.INVALID_ARGUMENT, "request", "this is no reference to a clip in shared memory")
        clip = _clip(reference, self._checked(place[SIZE]))
        for name in PLACES & {*place}:
            del place[name]
        metrics.SHARED.inc()
        return replace(parcel, around=around, contents=(clip,))

    def _checked(self, size: Any) -> int:
        if not 0 < size.int64_param <= self.max_bytes:
            words = f"the clip has {size.int64_param} bytes; the limit is {self.max_bytes} (TRIPTYCH_MAX_MEBIBYTES)"
            raise Refusal(StatusCode.INVALID_ARGUMENT, "request", words)
        return size.int64_param


def is_local(peer: str) -> bool:
    """Tell whether gRPC's name of a caller is of this host: a Unix socket, or an address of the loopback."""
    kind, _, rest = unquote(peer).partition(":")
    if kind == "unix":
        return True
    try:
        address = ip_address(rest.rpartition(":")[0].strip("[]"))
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def _clip(reference: Reference, size: int) -> memoryview:
    """Return the clip behind a reference, so many bytes; the memory is let go with the last view of it."""
    try:
        descriptor = _opened(reference)
        try:
            if (
                os.fstat(descriptor).st_size != KEY_BYTES + size
                or fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & SEALS != SEALS
            ):
                raise _refusal("the memory is not as large as the clip, or can still be changed")
            mapped = mmap.mmap(descriptor, KEY_BYTES + size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise _refusal(f"the server cannot open the client's memory ({error.strerror or error})") from error
    if not hmac.compare_digest(mapped[:KEY_BYTES], reference.key.encode()):
        raise _refusal("the memory is not the one that was meant")
    return memoryview(mapped)[KEY_BYTES:]


def _opened(reference: Reference) -> int:
    """Open the memory of a client to read it. What it is, is looked at before: to open a device may do something."""
    if os.stat(f"/proc/{reference.process}").st_uid != os.geteuid():
        raise _refusal("the client is another user's process")
    handle = os.open(f"/proc/{reference.process}/fd/{reference.descriptor}", os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise _refusal("the client's descriptor is no memory")
        return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(handle)


def _refusal(words: str) -> Refusal:
    return Refusal(StatusCode.FAILED_PRECONDITION, "shared_memory", words)
