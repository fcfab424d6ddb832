"""From an exported graph to a TensorRT engine: lengths of its axes, precision, what TensorRT lacks, building.

A step is built here when a profile of the hosts (`triptych/serving/profiles`) has it as `tensorrt_plan`.
"""
