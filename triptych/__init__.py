"""What the steps of the ensemble compute, and the embedded Triton server that runs them."""

__version__ = "0.1.0"
