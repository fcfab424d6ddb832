"""Clips by the hundred thousand: a manifest through a cluster of Ray, into partitions of Parquet in any store.

What decides what is whole, and what is written, knows nothing of Ray: `manifest`, `ledger`, `gathering`, `rows`.
`pipeline` is the part that runs on the cluster. The extra `batch` brings what is needed.
"""
