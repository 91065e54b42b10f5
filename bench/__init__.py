"""Measurements of the workflow."""
