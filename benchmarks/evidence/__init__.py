"""Is what the answer is made of true? One check a question; `python -m benchmarks.evidence --data DIR` asks all."""
