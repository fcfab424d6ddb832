"""Recipes of the voice channel."""
