"""Whisper: features to segments, batched across requests."""
