"""Triptych beside what somebody would build instead, with the same weights, clips and cores, in one run."""
