"""Two runners on two machines whose network goes away: exact and in order. --full has the large figures."""

from __future__ import annotations

import contextlib
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from actors.links import keys
from tests.links.plant import seed
from tests.links.test_two_runners import Runner, Two, arrived, check, flow
from tests.links.test_wires_that_survive import BOUND, GAPS, chain
from tests.links.test_wires_that_survive import check as check_chain
from tests.machines import Network, network

CUT_S = 5.0  # a link is given up after 3


class Apart(Two):
    """The runners are on the machines of their names."""

    def __init__(self, folder: Path, net: Network, *, keeps: bool = False) -> None:
        self.net = net
        keys.make_authority(folder / "keys", "test")
        for name in "ab":
            keys.make_certificate(folder / "keys", name)
        self.a, self.b = (Runner(name, folder, keeps=keeps, machine=net.machines[name]) for name in "ab")
        self._tell_places()

    def _tell_places(self) -> None:
        self.a.know({"b": (self.net.machines["b"].address, self.b.port)})
        self.b.know({"a": (self.net.machines["a"].address, self.a.port)})

    def cut(self, name: str) -> None:
        """For so long, in the middle of the stream."""
        before = arrived(self)
        self.until(lambda: arrived(self) > before + 1000)
        self.net.cut(name)
        time.sleep(CUT_S)
        self.net.heal(name)

    def close(self) -> None:
        self.a.close()
        self.b.close()


@pytest.fixture
def net() -> Iterator[Network]:
    with network("abc") as it:
        yield it


TOTALS = [200_000, pytest.param(1_000_000, marks=pytest.mark.full)]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("total", TOTALS)
def test_a_network_that_goes_away_twice(net: Network, tmp_path: Path, total: int) -> None:
    with contextlib.closing(Apart(tmp_path, net)) as two:
        two.apply(flow(total))
        for name in "ab":
            two.cut(name)
            assert arrived(two) < total
        check(two, total, 600)
        text = (tmp_path / "a.log").read_text()  # whichever side notices first, and it was not only slow
        assert len(re.findall("nothing was heard for 3 s|broke off|timed out|has closed it", text)) >= 2, text


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_a_network_that_goes_away_while_runners_are_killed(net: Network, tmp_path: Path) -> None:
    total, number = 1_000_000, seed()
    print("seed", number)
    rng = random.Random(number)
    document = chain(total, durable=True)
    with contextlib.closing(Apart(tmp_path, net, keeps=True)) as two:
        two.apply(document)
        for turn in range(10):
            before = arrived(two)
            two.until(lambda: arrived(two) > before + 1000)  # noqa: B023
            two.again(rng.choice([two.a, two.b]), document, kill=True)
            if turn in (3, 7):
                two.cut(rng.choice("ab"))
        assert arrived(two) < total
        check_chain(two, total, 900)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_what_that_costs_without_a_journal_is_said(net: Network, tmp_path: Path) -> None:
    """The runner in the middle is killed: what is missing in the end is at most what the one before it has said."""
    total, number = 1_000_000, seed()
    print("seed", number)
    rng = random.Random(number)
    document = chain(total)
    document["modules"]["sum"]["code"] = GAPS
    document["modules"]["source"]["config"]["more"] = ["x" * 500]  # so the windows hold little of all
    with contextlib.closing(Apart(tmp_path, net)) as two:
        two.apply(document)
        for turn in range(10):
            before = arrived(two)
            two.until(lambda: arrived(two) > before + 1000)  # noqa: B023
            two.again(two.b, document, kill=True)
            if turn in (3, 7):
                two.cut(rng.choice("ab"))
        assert two.a.client.call("flowState", "f")["modules"]["source"]["sent"] < total, "what is last arrives"
        two.until(lambda: two.a.context("sum").get("expected") == total, 900)
        lost = two.a.context("sum").get("gaps", 0)
        found = BOUND.search(two.a.client.call("flowState", "f")["lost"])
        assert found is not None
        bound = int(found[1].replace(",", ""))
        print(f"{lost} lost, at most {bound}")
        assert 0 < lost <= bound < total


def test_a_crowd_from_a_third_machine(net: Network, tmp_path: Path) -> None:
    """It talks nonsense, or nothing; the stream goes on, and a link that is lost meanwhile is found again."""
    total, c = 200_000, net.machines["c"]
    with contextlib.closing(Apart(tmp_path, net)) as two:
        places = [f"{net.machines[name].address}:{runner.port}" for name, runner in (("a", two.a), ("b", two.b))]
        command = [*c.command, sys.executable, "-m", "tests.links.crowd", *places]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True) as crowd:
            assert crowd.stdout is not None and crowd.stdin is not None
            assert crowd.stdout.readline() == "there\n"
            two.apply(flow(total))
            two.cut("a")
            assert arrived(two) < total
            check(two, total)
            crowd.stdin.close()
            said = crowd.stdout.readline().split()
        assert int(said[0]) > 1000, said
        for name in "ab":
            lines = [line for line in (tmp_path / f"{name}.log").read_text().splitlines() if c.address in line]
            assert 1 < len(lines) < 120  # one a second
