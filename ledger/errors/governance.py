"""Changes of the law that the law itself refuses: unknown keys, bounds, heights."""

from ledger.errors.base import Refused


class GovernanceRefused(Refused):
    """A change of a parameter that can't be made."""

    code = "governance_refused"


class UnknownParameter(GovernanceRefused):
    """There is no such parameter, or it never changes."""

    code = "unknown_parameter"
    text = "{key} is no parameter that can be changed"


class OutOfBounds(GovernanceRefused):
    """The value passes a hard bound."""

    code = "out_of_bounds"
    text = "{key} can't be {value}: {why}"


class PastHeight(GovernanceRefused):
    """The height has come already."""

    code = "past_height"
    text = "height {height} is not after {now}"


class TooManyChanges(GovernanceRefused):
    """As many changes wait as may."""

    code = "too_many_changes"
    text = "{most} changes wait, which is the most"
