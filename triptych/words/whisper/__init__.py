"""Whisper: features to utterances, batched across requests."""
