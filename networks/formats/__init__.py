"""Readers of foreign containers of weights, as data."""
