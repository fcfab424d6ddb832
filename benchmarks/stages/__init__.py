"""Each network alone in PyTorch, on a GPU or a CPU: latency by batch and precision, and what the machine can do."""
