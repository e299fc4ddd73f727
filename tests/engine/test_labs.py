"""Who owns which run: a tab finds its own again, nobody gets another's, and what is left behind ends."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bnviz.engine.allowance import Allowance, TooFastError
from bnviz.engine.capacity import MAX_RUNS, TooManyRunsError
from bnviz.engine.cluster import Engine
from bnviz.engine.labs import GAVE_WAY, GRACE, Labs
from bnviz.engine.run import Run
from bnviz.experiment.config import replace
from bnviz.experiment.scenario import Scenario
from tests.builders import twins
from tests.running import played, reached, record, settled, stepped, wait_until

TWINS = twins(steps=300)
LONG = twins(steps=100_000)
OTHER = replace(TWINS, training=replace(TWINS.training, seed=7))

MakeLabs = Callable[[float], Labs]


@pytest.fixture
def make_labs(engine: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[MakeLabs]:
    """Labs whose runs end with the test, on an engine that does not."""
    monkeypatch.setenv("BNVIZ_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(engine, "close", lambda: None)
    made: list[Labs] = []

    def make_labs(grace: float) -> Labs:
        made.append(Labs(engine, grace))
        return made[-1]

    yield make_labs
    for labs in made:
        labs.close()


@pytest.fixture
def labs(make_labs: MakeLabs) -> Labs:
    """Labs in which nothing ends while a test lasts."""
    return make_labs(GRACE)


def is_closed(run: Run) -> bool:
    return run.status.state == "closed"


class TestClaiming:
    def test_gives_a_new_tab_a_run_of_its_experiment(self, labs: Labs) -> None:
        tab, run = labs.claim("tab", "owner", TWINS)
        assert tab == "tab"
        assert run.experiment == TWINS
        assert settled(run).view().latest is not None

    def test_finds_a_run_that_is_there_and_starts_none(self, labs: Labs) -> None:
        assert labs.find("tab", "owner") is None
        assert len(labs) == 0
        _, run = labs.claim("tab", "owner", TWINS)
        assert labs.find("tab", "owner") is run
        assert labs.find("tab", "somebody else") is None
        assert labs.find("tab", "owner", "inference") is None
        labs.leave("owner")
        assert labs.find("tab", "the owner after a reload") is run

    def test_gives_each_page_of_a_tab_a_run_of_its_own(self, labs: Labs) -> None:
        _, live = labs.claim("tab", "owner", TWINS)
        tab, watched = labs.claim("tab", "owner", TWINS, "inference")
        assert tab == "tab"
        assert watched is not live
        assert settled(watched).view().variants[1].frames[0].inference is not None
        assert settled(live).view().variants[1].frames[0].inference is None
        labs.leave("owner")
        assert labs.claim("tab", "after a reload", TWINS, "inference") == ("tab", watched)
        assert labs.claim("tab", "after a reload", TWINS) == ("tab", live)

    def test_gives_a_copied_tab_the_same_new_id_on_every_page(self, labs: Labs) -> None:
        labs.claim("tab", "owner", TWINS)
        copy, _ = labs.claim("tab", "copy", TWINS)
        assert copy != "tab"
        assert labs.claim("tab", "copy", TWINS, "inference")[0] == copy

    def test_gives_the_same_tab_the_same_run_whatever_it_asks_for(self, labs: Labs) -> None:
        _, run = labs.claim("tab", "owner", TWINS)
        assert labs.claim("tab", "owner", OTHER) == ("tab", run)
        assert run.experiment == TWINS
        assert len(labs) == 1

    def test_gives_two_tabs_two_runs(self, labs: Labs) -> None:
        _, one = labs.claim("one", "owner of one", TWINS)
        _, two = labs.claim("two", "owner of two", TWINS)
        stepped(one, 3)
        assert (one.status.step, settled(two).status.step) == (3, 0)

    def test_of_a_duplicated_tab_gives_the_copy_an_id_and_a_run_of_its_own(self, labs: Labs) -> None:
        _, run = labs.claim("tab", "owner", TWINS)
        stepped(run, 3)
        copy, copied = labs.claim("tab", "another", TWINS)
        assert copy != "tab"
        assert copied is not run
        assert labs.claim("tab", "owner", TWINS) == ("tab", run)
        assert labs.claim(copy, "another", TWINS) == (copy, copied)
        assert (run.status.step, settled(copied).status.step) == (3, 0)

    def test_beyond_the_most_runs_is_refused(self, labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(MAX_RUNS, "2")
        _, run = labs.claim("one", "owner of one", TWINS)
        labs.claim("two", "owner of two", TWINS)
        with pytest.raises(TooManyRunsError, match="already trains 2 experiments"):
            labs.claim("three", "owner of three", TWINS)
        assert labs.claim("one", "owner of one", TWINS) == ("one", run)
        assert len(labs) == 2

    def test_too_often_is_refused_and_what_was_there_stays(self, labs: Labs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(labs, "_allowance", Allowance(2, 1))
        _, run = labs.claim("one", "owner", TWINS)
        _, staged = labs.stage("one", "owner", Scenario(TWINS))
        with pytest.raises(TooFastError, match="too often for one visitor"):
            labs.stage("one", "owner", Scenario(OTHER))
        assert labs.claim("one", "owner", OTHER) == ("one", run)
        assert labs.stage("one", "owner", Scenario(TWINS)) == ("one", staged)
        labs.claim("two", "another owner", TWINS)

    def test_ends_what_was_left_for_longest_where_all_places_are_taken(
        self, labs: Labs, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(MAX_RUNS, "2")
        runs = {tab: settled(labs.claim(tab, tab, TWINS)[1]) for tab in ("one", "two")}
        labs.leave("two")
        labs.leave("one")
        _, third = labs.claim("three", "three", OTHER)
        wait_until(lambda: is_closed(runs["two"]), "the run that was left first to end")
        wait_until(lambda: sum(engine.load().values()) == 2, "its trainer to be freed")
        assert settled(third).status.notice == ""
        assert labs.claim("one", "back again", TWINS) == ("one", runs["one"])
        labs.leave("back again")
        _, again = labs.claim("two", "two again", TWINS)
        assert again is not runs["two"]
        assert settled(again).status.notice == GAVE_WAY
        labs.leave("two again")
        assert labs.claim("two", "and again", TWINS)[1].status.notice == GAVE_WAY


class TestLeaving:
    def test_keeps_the_run_for_a_reload(self, labs: Labs) -> None:
        _, run = labs.claim("tab", "before the reload", TWINS)
        stepped(run, 5)
        labs.leave("before the reload")
        assert labs.claim("tab", "after the reload", TWINS) == ("tab", run)
        stepped(run, 1)
        assert run.status.step == 6

    def test_holds_a_playing_run_until_somebody_is_back(self, labs: Labs) -> None:
        _, run = labs.claim("tab", "owner", LONG)
        run.play()
        reached(run, 5)
        labs.leave("owner")
        step = settled(run).status.step
        assert stepped(run, 1).status.step == step + 1
        labs.claim("tab", "back again", LONG)
        reached(run, step + 10)
        assert run.status.state == "playing"

    def test_ends_the_run_after_the_grace_period(self, make_labs: MakeLabs, engine: Engine) -> None:
        labs = make_labs(0.2)
        _, run = labs.claim("tab", "owner", TWINS)
        settled(run)
        labs.leave("owner")
        wait_until(lambda: is_closed(run), "the run to close")
        wait_until(lambda: not any(engine.load().values()), "the trainer to be freed")
        assert len(labs) == 0
        _, again = labs.claim("tab", "owner", TWINS)
        assert again is not run
        assert not is_closed(settled(again))

    def test_ends_nothing_that_was_claimed_again(self, make_labs: MakeLabs) -> None:
        labs = make_labs(1.0)
        _, stays = labs.claim("one", "owner of one", TWINS)
        _, ends = labs.claim("two", "owner of two", TWINS)
        labs.leave("owner of one")
        labs.leave("owner of two")
        labs.claim("one", "back again", TWINS)
        wait_until(lambda: is_closed(ends), "the run that was not claimed to close")
        assert stepped(stays, 1).status.step == 1
        assert len(labs) == 1

    def test_of_one_owner_leaves_the_others_alone(self, make_labs: MakeLabs) -> None:
        labs = make_labs(0.2)
        _, stays = labs.claim("one", "owner of one", TWINS)
        _, ends = labs.claim("two", "owner of two", TWINS)
        labs.leave("owner of two")
        labs.leave("a stranger")
        wait_until(lambda: is_closed(ends), "the left run to close")
        assert labs.claim("one", "owner of one", TWINS) == ("one", stays)
        assert stepped(stays, 1).status.step == 1

    def test_makes_room_for_others(self, make_labs: MakeLabs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(MAX_RUNS, "1")
        labs = make_labs(0.2)
        labs.claim("one", "owner of one", TWINS)
        labs.leave("owner of one")
        wait_until(lambda: len(labs) == 0, "the left run to end")
        tab, _ = labs.claim("two", "owner of two", TWINS)
        assert tab == "two"


class TestClosing:
    def test_ends_every_run_and_the_engine(
        self, make_labs: MakeLabs, engine: Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        closed: list[bool] = []
        monkeypatch.setattr(engine, "close", lambda: closed.append(True))
        labs = make_labs(GRACE)
        runs = [labs.claim(str(i), str(i), TWINS)[1] for i in range(3)]
        labs.leave("0")
        for run in runs[1:]:
            settled(run).play()
        labs.close()
        assert closed == [True]
        assert len(labs) == 0
        wait_until(lambda: all(is_closed(run) for run in runs), "the runs to close")
        wait_until(lambda: not any(engine.load().values()), "the trainers to be freed")


def test_two_tabs_with_the_same_experiment_see_the_same_losses(labs: Labs) -> None:
    runs = [labs.claim(tab, tab, TWINS)[1] for tab in ("one", "two")]
    assert record(played(runs[0])) == record(played(runs[1]))
