"""Stages 1 and 2: an answer without what wraps it, in one form of each sign, split into blocks; and what words mean."""
