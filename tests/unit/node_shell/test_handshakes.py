"""Handshakes: a flood of one address displaces itself, and nobody else."""

from node.httpd.handshakes import Handshakes


class Door:
    """Handshakes by their numbers, and which were cut."""

    def __init__(self, most: int, most_of_address: int) -> None:
        self.cut: list[int] = []
        self.reasons: list[str] = []
        self.handshakes = Handshakes(most, most_of_address, self.reasons.append)

    def begin(self, number: int, address: str) -> None:
        self.handshakes.begin(number, address, lambda: self.cut.append(number))


def test_past_an_address_s_places_its_own_oldest_gives_way() -> None:
    door = Door(100, 2)
    for number, address in enumerate(["a", "b", "a", "a", "a", "b"]):
        door.begin(number, address)
    assert door.cut == [0, 2]
    assert len(door.handshakes) == 4


def test_past_all_places_the_address_that_has_most_gives_way() -> None:
    door = Door(4, 3)
    for number, address in enumerate(["quiet", "flood", "flood", "flood", "late", "later"]):
        door.begin(number, address)
    assert door.cut == [1, 2]


def test_a_proxy_is_bounded_in_all_alone() -> None:
    door = Door(5, 2)
    for number in range(7):
        door.begin(number, "")
    assert door.cut == [0, 1]


def test_who_has_shaken_hands_or_is_gone_is_never_cut() -> None:
    door = Door(2, 2)
    door.begin(0, "a")
    door.handshakes.end(0)
    door.handshakes.end(0)
    for number in (1, 2):
        door.begin(number, "a")
    assert door.cut == []
    door.handshakes.cut_all()
    assert (door.cut, len(door.handshakes)) == ([1, 2], 0)
    assert door.reasons == ["leaving", "leaving"]
