"""Recipes of the fusion and of each channel's calibration."""
