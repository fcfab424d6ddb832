"""What the client and the door say to each other beside the tensors: names of gRPC's metadata, and of one entry."""

from __future__ import annotations

SERVICE = "inference.GRPCInferenceService"
"""KServe v2 as Triton speaks it."""

REQUEST_ID = "x-request-id"
"""Metadata, of requests and of answers, by which one call is found in the server's log."""
LONGEST_ID = 128
"""Characters of such an id."""

RETRY_AFTER_MS = "grpc-retry-pushback-ms"
"""Trailing metadata: the hint when to ask again, as gRPC's own retries read it.

https://github.com/grpc/proposal/blob/master/A6-client-retries.md
"""

CLIP_LIMIT = "triptych:max_clip_bytes="
"""How the entry of a server's extensions begins that says the largest clip it takes, in bytes: a decimal follows."""

SECONDS_LIMIT = "triptych:max_seconds="
"""The same for the longest clip, in seconds; a server that says it can also be asked for `contract.LOOKS`."""

SHARED_MEMORY = "triptych:shared_memory"
"""The entry that says that clients on the server's host may hand clips over in memory, see `shared_memory`."""
