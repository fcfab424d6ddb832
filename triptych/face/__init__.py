"""Faces: boxes, aligned crops, tracks, appearance."""
