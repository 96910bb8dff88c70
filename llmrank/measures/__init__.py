"""Measures of rankings and ratings, computed over many Cases at once.

>>> from llmrank.types import Ranking
>>> judgements = Judgements.from_rankings([Ranking(("b", "a", "c"))], [{"a"}])
>>> NDCG(10) == parse_measure("NDCG@10")
True
>>> MRR().per_case(judgements)  # float64[cases], NaN where no relevant id is known
array([0.5])
>>> round(MRR().value(judgements.random()), 4)  # what chance expects on the same candidates, exactly
0.6111
"""

from llmrank.measures.auc import AUC
from llmrank.measures.average_precision import MAP
from llmrank.measures.hit_rate import HR
from llmrank.measures.judgements import Judgements
from llmrank.measures.mae import MAE
from llmrank.measures.measure import Measure, RankingMeasure, RatingMeasure
from llmrank.measures.ndcg import NDCG
from llmrank.measures.parse import parse_measure, parse_measures
from llmrank.measures.precision import Precision
from llmrank.measures.ratings import Ratings
from llmrank.measures.recall import Recall
from llmrank.measures.reciprocal_rank import MRR
from llmrank.measures.rmse import RMSE
from llmrank.measures.summary import MeasureSummary, VersusBaseline

__all__ = [
    "AUC",
    "HR",
    "MAE",
    "MAP",
    "MRR",
    "NDCG",
    "RMSE",
    "Judgements",
    "Measure",
    "MeasureSummary",
    "Precision",
    "RankingMeasure",
    "RatingMeasure",
    "Ratings",
    "Recall",
    "VersusBaseline",
    "parse_measure",
    "parse_measures",
]
