"""Viewers of one film are shown figures that were made once."""

import json
from typing import Any

from bnviz.ui.web import moments
from bnviz.ui.web.feed import Feed
from bnviz.ui.web.moments import MOST_MOMENTS, Moment, moment_of


def counted(made: list[int]) -> Moment:
    made.append(1)
    return Moment.of({"chart_loss": {"data": [len(made)]}}, ["It learns."])


def test_a_moment_is_made_once_for_all_who_see_it() -> None:
    film, made = object(), list[int]()
    one, other = (moment_of((film,), (7, "charts"), lambda: counted(made)) for _ in range(2))
    assert one is other
    assert made == [1]


def test_another_film_or_moment_or_choice_is_another_one() -> None:
    made = list[int]()
    films = object(), object()
    for film, key in ((films[0], (1, "a")), (films[0], (2, "a")), (films[0], (1, "b")), (films[1], (1, "a"))):
        moment_of((film,), key, lambda: counted(made))
    assert len(made) == 4


def test_few_are_kept() -> None:
    film, made = object(), list[int]()
    for tick in range(MOST_MOMENTS + 5):
        moment_of((film,), tick, lambda: counted(made))
    assert len(moments._moments) == MOST_MOMENTS
    moment_of((film,), MOST_MOMENTS + 4, lambda: counted(made))
    assert len(made) == MOST_MOMENTS + 5


def test_news_hold_the_figures_that_were_written_before() -> None:
    moment = Moment.of({"chart_loss": {"data": [1, 2]}}, [])
    feed = Feed()

    def news() -> dict[str, Any]:
        return {"html": {"a": "<b>"}, "figures": moment.figures, "rerun": False}

    feed.show(lambda: 1, news)
    told = json.loads(feed.news())
    assert told["figures"] == {"chart_loss": {"data": [1, 2]}}
    assert told["html"] == {"a": "<b>"}
    feed.close()
