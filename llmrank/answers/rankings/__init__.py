"""Stages 3 to 5: which block is the ranking, in which direction it runs, and which items its entries name."""
