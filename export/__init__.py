"""Weights -> ONNX inside the Triton model repository, with the source, sha256 and licence of each."""
