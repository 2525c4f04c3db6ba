"""Tanks of raw milk: collections, moves and levels that the law refuses."""

from ledger.errors.base import Refused


class TankRefused(Refused):
    """Something about raw milk that the law refuses."""

    code = "tank_refused"


class SmallCollection(TankRefused):
    """A collection of less than the least."""

    code = "small_collection"
    text = "{units} units collected, at least {least} are asked"


class LongCollection(TankRefused):
    """A collection over too long a time: nobody could tell when its milk was metered."""

    code = "long_collection"
    text = "the collection goes from {from_ms} to {to_ms} ms, at most {most_ms} ms are allowed"


class OutOfForce(TankRefused):
    """The meter was stopped, or was not calibrated, when it counted."""

    code = "out_of_force"
    text = "device {device} was not in force from {from_ms} to {to_ms} ms"


class NotPermitted(TankRefused):
    """The farm did not consent, when the milk was metered, to where it goes or who brings it."""

    code = "not_permitted"
    text = "farm {farm} did not permit this of meter {device} from {from_ms} to {to_ms} ms"


class DayFull(TankRefused):
    """The farm's day has no litres left."""

    code = "day_full"
    text = "all {units} units that the farm permits of day {day} were collected"


class TooManyGaps(TankRefused):
    """The collection would leave more open stretches of the meter than are kept."""

    code = "too_many_gaps"
    text = "device {device} would have more than {most} gaps: collect what was passed over first"


class TooManyPortions(TankRefused):
    """So many meters brought milk in one hour that it can't be kept apart."""

    code = "too_many_portions"
    text = "tank {tank} holds {most} portions of hour {hour}, which is the most"


class SameTank(TankRefused):
    """Milk can't be moved into the tank that it stands in."""

    code = "same_tank"
    text = "tank {tank} can't be filled from itself"


class LargeMove(TankRefused):
    """So many portions would move at once that every node would be busy with them."""

    code = "large_move"
    text = "more than {most} portions of tank {tank} would move: move fewer units at a time"


class RiseUnexplained(TankRefused):
    """The tank's level rose by more than was collected."""

    code = "rise_unexplained"
    text = "tank {tank} rose by {units} units more than was collected, {most} are allowed"


class LevelAgainstFlow(TankRefused):
    """The tank's level does not follow what flowed out of it."""

    code = "level_against_flow"
    text = "level and flow of tank {tank} are {units} units apart, {most} are allowed"
