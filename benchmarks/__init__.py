"""Measurements: one small script a question; each is a ratio against something run beside it in the same run."""
