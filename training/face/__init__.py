"""Recipes of the face channel."""
