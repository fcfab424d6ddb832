"""KServe v2 over gRPC, as far as the clients speak it: two methods, and their messages in the bytes that are sent.

tritonclient brings the messages. Its own client is not used: it holds five copies of a clip while the clip is analysed
(two here), and keeps what a server says behind an error, such as when to ask again, to itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tritonclient.grpc import service_pb2

from triptych_client.contract import Tensor
from triptych_client.protocol import SERVICE
from triptych_client.shared_memory import KEY_BYTES, SharedClip

_MESSAGES: Any = service_pb2
"""Their classes are made when it is imported, so no type checker knows them."""


def server_metadata(channel: Any) -> Any:
    """Return the method that tells what a server is: b"" -> ServerMetadataResponse. The channel may be of asyncio."""
    parse = _MESSAGES.ServerMetadataResponse.FromString
    return channel.unary_unary(f"/{SERVICE}/ServerMetadata", response_deserializer=parse)


def model_infer(channel: Any) -> Any:
    """Return the method that answers a request: what `infer_request` returns -> ModelInferResponse."""
    parse = _MESSAGES.ModelInferResponse.FromString
    return channel.unary_unary(f"/{SERVICE}/ModelInfer", response_deserializer=parse)


def infer_request(
    model: str,
    request_id: str,
    parameters: Mapping[str, str],
    tensor: Tensor,
    data: bytes | SharedClip,
    outputs: Sequence[str],
) -> bytes:
    """Return a ModelInferRequest with one input, `tensor` [size of data] of bytes, serialised.

    It holds the bytes, or refers to them where they are in memory that the server can open.
    """
    request = _MESSAGES.ModelInferRequest
    return request(
        model_name=model,
        id=request_id,
        parameters={name: _MESSAGES.InferParameter(string_param=value) for name, value in parameters.items()},
        inputs=[
            request.InferInputTensor(
                name=tensor.name,
                datatype=tensor.dtype,
                shape=[len(data)],
                parameters=_place(data) if isinstance(data, SharedClip) else {},
            )
        ],
        outputs=[request.InferRequestedOutputTensor(name=name) for name in outputs],
        raw_input_contents=[] if isinstance(data, SharedClip) else [data],
    ).SerializeToString()


def in_full(message: bytes, data: bytes) -> bytes:
    """Return a request that refers to its bytes, with the bytes in it."""
    request = _MESSAGES.ModelInferRequest.FromString(message)
    request.inputs[0].parameters.clear()
    request.raw_input_contents.append(data)
    return request.SerializeToString()


def _place(clip: SharedClip) -> dict[str, Any]:
    """Return where a tensor lies, by the parameters of Triton's extension for shared memory.

    https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_shared_memory.md
    """
    parameter = _MESSAGES.InferParameter
    return {
        "shared_memory_region": parameter(string_param=str(clip.reference)),
        "shared_memory_offset": parameter(int64_param=KEY_BYTES),
        "shared_memory_byte_size": parameter(int64_param=len(clip)),
    }
