"""The functions are plain Python: they are tested without jobplane. Run `pytest` here."""

from functools import reduce

import pytest
from sentiment import Approval, moving_average, sentiment


def test_good_words_and_bad_ones_are_counted() -> None:
    assert sentiment("Great service, THANKS a lot") == 2
    assert sentiment("late and broken, but I love it") == -1
    assert sentiment("") == 0


def test_approval_is_the_same_however_the_texts_are_divided() -> None:
    texts, approval = ["great", "sad", "a box", "thanks"], Approval()
    assert approval.result(approval.init()) is None
    for cut in range(len(texts) + 1):
        parts = [reduce(approval.add, some, approval.init()) for some in (texts[:cut], texts[cut:])]
        assert approval.result(approval.merge(*parts)) == 2 / 3


def test_a_mean_looks_back() -> None:
    assert moving_average([3.0, 6.0, 9.0, None, 1.0], 2) == [3.0, 4.5, 7.5, None, None]
    with pytest.raises(ValueError, match="width of 0"):
        moving_average([1.0], 0)
