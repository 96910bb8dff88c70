import pytest

from llmrank.errors import InputError
from llmrank.measures import AUC, HR, MAE, MAP, MRR, NDCG, RMSE, Precision, Recall, parse_measure, parse_measures

EVERY = [HR(1), Recall(50), Precision(7), NDCG(10), MRR(), MRR(10), MAP(), MAP(100), RMSE(), MAE(), AUC(), AUC(3.5)]


@pytest.mark.parametrize("measure", EVERY, ids=str)
def test_the_name_of_a_measure_is_the_measure(measure):
    assert parse_measure(str(measure)) == measure
    assert parse_measure(f" {str(measure).lower()} ") == measure
    assert hash(parse_measure(str(measure))) == hash(measure)


def test_measures_are_values():
    assert NDCG(10) != NDCG(5) and NDCG(10) != MAP(10) and AUC(3) != AUC()
    assert len({NDCG(10), NDCG(10), MAP(10)}) == 2
    assert [str(m) for m in (NDCG(10), MRR(), AUC(), AUC(3.5))] == ["NDCG@10", "MRR", "AUC", "AUC(>=3.5)"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NDGC@10", "did you mean 'NDCG@10'?"),
        ("recal@5", "did you mean 'Recall@5'?"),
        ("P@10", "did you mean 'Precision@10'?"),
        ("xyzzy", "use one of HR, Recall, Precision, NDCG, MRR, MAP, RMSE, MAE, AUC"),
        ("NDCG", "NDCG@10"),
        ("HR", "HR@10"),
        ("NDCG@0", "1 or more"),
        ("NDCG@ten", "NDCG@10"),
        ("NDCG@1.5", "NDCG@10"),
        ("NDCG@-1", "NDCG@10"),
        ("RMSE@10", "write it like RMSE"),
        ("RMSE(>=3)", "write it like RMSE"),
        ("MRR(>=3)", "write it like MRR@10"),
        ("AUC@10", "write it like AUC or"),
        ("", "unknown measure"),
    ],
)
def test_a_wrong_name_says_what_is_right(text, said):
    with pytest.raises(InputError) as error:
        parse_measure(text)
    assert said in str(error.value)
    assert error.value.field == "measures"


def test_a_range_names_every_cutoff_once():
    assert parse_measures("MRR, NDCG@1..3,NDCG@2") == (MRR(), NDCG(1), NDCG(2), NDCG(3))
    assert len(parse_measures("ndcg@1..50")) == 50
    assert parse_measures("HR@7..7") == (HR(7),)
    assert parse_measures(["MRR,HR@1", NDCG(2), "NDCG@1..2"]) == (MRR(), HR(1), NDCG(2), NDCG(1))


@pytest.mark.parametrize(
    "text",
    ["NDCG@5..1", "NDCG@0..3", "NDCG@1..100000", "RMSE@1..3", "NDCG@1...3", "", " , ", [], 5, NDCG(1), [NDCG], [5]],
)
def test_a_wrong_list_says_what_is_right(text):
    with pytest.raises(InputError, match="hint:") as error:
        parse_measures(text)
    assert error.value.field == "measures"
