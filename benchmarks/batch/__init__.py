"""`triptych batch` on a cluster of Ray and an S3 that run on this machine: what it survives, and what it costs."""
