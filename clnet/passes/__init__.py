"""Graph rewrites, one per file; ``pipeline.py`` holds their order."""
