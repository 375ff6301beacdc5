"""Graphs out, model files in: the other way round from importers."""
