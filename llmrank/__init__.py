"""llmrank: is a large language model a better ranker for your recommender than what you have?"""

__version__ = "0.1.0"
