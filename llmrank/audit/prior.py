"""Do identifier and place alone decide, where all candidates look the same?"""

from __future__ import annotations

from llmrank.audit.finding import Audit, Variants
from llmrank.audit.position import place_findings, shuffled_stories
from llmrank.rankers.calibration import without_content
from llmrank.run import CaseStory, Run

PRIOR = "prior"


def prior(run: Run) -> Audit:
    """Return how much the place decides where all candidates have the same text.

    A placeholder in the place of the content is from Zhao et al. (2021, arXiv:2102.09690). The number is Spearman's
    correlation between the place shown and the rank given, the mean over Cases: 1 where the list comes back as it was
    shown. Beside it: how often what is ranked first was shown in the first and in the last third of the list.

    Args:
        run: A Run of the Cases of `prior_variants`, shown shuffled.

    Raises:
        InputError: the candidates were not shown in a shuffled order, or no Case has a readable ranking.
    """
    stories = shuffled_stories(run)
    thirds = {
        f"what is ranked first is of the {name} third shown": [_third(story, third) for story in stories]
        for third, name in ((0, "first"), (2, "last"))
    }
    rows, sentence = place_findings(stories, thirds)
    return Audit("Do identifier and place alone decide?", sentence, tuple(rows), run.title)


def prior_variants() -> Variants:
    """Return the one change of this audit: every candidate's text becomes a placeholder."""
    return {PRIOR: without_content}


def _third(story: CaseStory, third: int) -> list[str]:
    n = len(story.shown)
    return [item.item_id for place, item in enumerate(story.shown) if 3 * place // n == third]
