"""What can go wrong for a partner's program.

PartnerFault
+-- PaymentsProblem   the service refused: `code` never changes its meaning (/errors/{code})
+-- NobodyAnswered    again and again: what was asked for may have been done
+-- BadWebhook        a delivery that the service did not sign, or too long ago
"""

from collections.abc import Sequence

from api.client.schemas import ProblemPointer


class PartnerFault(Exception):
    """Anything of this client."""


class PaymentsProblem(PartnerFault):
    """A refusal, as RFC 9457 has it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        request_id: str = "",
        errors: Sequence[ProblemPointer] = (),
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.request_id = request_id
        self.errors = tuple(errors)


class NobodyAnswered(PartnerFault):
    """No answer that says anything. The same call again, with the same key, does no harm."""


class BadWebhook(PartnerFault):
    """A delivery that is not to be believed."""
