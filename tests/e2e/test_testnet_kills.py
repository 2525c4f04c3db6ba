"""A whole testnet whose processes die, lie, hang and run out of disk: no honest litre is lost.

After each misery the line's claims go on past it, and then three counts agree to the microlitre:
what the chain minted, what the law counts in one window over all that the instruments ever signed,
and what the flow meter says has flowed. One network serves the whole module.
"""

import os
import shutil
import signal
import subprocess
import time

import pytest

from iot_minting.attestor.config import prepare as prepare_attestor
from iot_minting.gateway.config import KnownAttestor, read_config
from iot_minting.settings import write_config
from tests.support.testnet.books import keep_books, through_ms
from tests.support.testnet.liar import lying
from tests.support.testnet.running import RunningTestnet

START_S = 300
BACK_S = 300
MOVE_S = 400
"""The line goes on long before; a machine may be busy."""
DISK = "24m"
DEAD = "attestor-3"
SLOW = "attestor-2"

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    """Run a network whose gateway has, where that can be, a small disk of its own."""
    net = RunningTestnet(tmp_path_factory.mktemp("kills") / "net")
    home = net.layout.home("mint")
    home.mkdir(parents=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=0700", "tmpfs", str(home))
    mounted = (
        os.geteuid() == 0
        and shutil.which("mount") is not None
        and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    )
    try:
        net.start("--validators", "4")
        net.until(net.ready, START_S, "ready network")
        net.until(lambda: through_ms(net) > genesis_ms(net), MOVE_S, "first window")
        yield net
    finally:
        net.close()
        if mounted:
            subprocess.run(["umount", "-l", str(home)], check=True)


def genesis_ms(net):
    return net.block(0).time_ms


def now_ms():
    return time.time_ns() // 1_000_000


def kill(net, name):
    """Kill -9 a process, and wait until its supervisor has another one at work."""
    victim = net.until(lambda: net.pid(name), BACK_S, f"{name} to kill")
    os.kill(victim, signal.SIGKILL)
    net.until(lambda: net.pid(name) not in (None, victim), BACK_S, f"second {name}")


def kill_for_good(net, name):
    """Kill -9 a process, which finds its configuration gone when it is started again."""
    config = net.layout.home(name) / "config.toml"
    config.write_text("broken =")
    os.kill(net.pid(name), signal.SIGKILL)


def goes_on(net):
    """Wait until what flows from now on is minted; hold that the books are right then."""
    then_ms = now_ms()
    net.until(lambda: through_ms(net) > then_ms, MOVE_S, "window past the misery")
    books = keep_books(net)
    assert books.minted == books.provable == books.flowed > 0
    return books


def test_kills_of_broker_gateway_attestor_and_validator_lose_nothing(net):
    kill_for_good(net, DEAD)
    for name in ("broker", "mint", "broker", "node-3", "mint", "broker"):
        kill(net, name)
    goes_on(net)


def test_an_attestor_that_lies_and_one_that_hangs_lose_nothing(net):
    home = net.layout.home("mint")
    key = prepare_attestor(net.layout.home(DEAD))
    with lying(key, net.chain_id()) as liar:
        config = read_config(home)
        others = [each for each in config.attestors if each.key != key.hex()]
        lied = [*others, KnownAttestor(key=key.hex(), url=liar.url)]
        write_config(home, config.model_copy(update={"attestors": lied}))
        kill(net, "mint")
        goes_on(net)
        assert liar.asked
        hung, asked = net.pid(SLOW), liar.asked
        os.kill(hung, signal.SIGSTOP)
        try:
            net.until(lambda: liar.asked > asked, MOVE_S, "window that too few attest")
        finally:
            os.kill(hung, signal.SIGCONT)
        goes_on(net)


def test_a_full_disk_under_the_gateway_loses_nothing_and_mints_again_when_it_has_room(net):
    home = net.layout.home("mint")
    if not home.is_mount():
        pytest.skip("only root may give the gateway a small disk of its own")
    ballast = home / "ballast"
    before = net.state()
    deaths = restarts(before)
    fill(ballast)
    try:
        net.until(lambda: restarts(net.state()) >= deaths + 2, BACK_S, "gateway that gives up")
    finally:
        ballast.unlink()
    goes_on(net)


def restarts(state):
    return next(each.restarts for each in state.processes if each.name == "mint")


def fill(path):
    """Write until not a byte more fits."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def test_a_dairy_that_dies_amid_a_run_mints_what_the_law_counts(net):
    kill(net, "dairy")
    then_ms = now_ms()
    net.until(lambda: through_ms(net) > then_ms, MOVE_S, "window past the misery")
    books = keep_books(net)
    assert books.minted == books.provable <= books.flowed
