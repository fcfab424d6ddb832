"""Gates: how far an exported graph is from its network in PyTorch, in fp32 and in the precisions of an engine.

`python -m export.gates` measures every exported graph that has a network, on the tensors of a clip of its own, and
writes the report beside each export. docs/tensorrt.md says what passes, and what is held elsewhere.
"""
