"""Whisper: its published weights, and the graphs that serve it."""
