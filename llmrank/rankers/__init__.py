"""Rankers: pure generators that say what to ask, and make a Ranking of the answers. One file per method."""
