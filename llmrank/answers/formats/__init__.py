"""The answer formats, one file each, with what only they read."""
