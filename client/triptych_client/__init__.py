"""Client of Triptych: the emotion that a video clip expresses, from one gRPC call to Triton."""

__version__ = "0.1.0"
