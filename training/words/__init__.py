"""Recipes of the words channel."""
