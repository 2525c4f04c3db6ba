"""Codes about cash for BILL and back: floats, receipts, wallets."""

from typing import Final

from api.http.codes.entry import ProblemCode

CODES: Final = (
    ProblemCode(
        "FLOAT_LOW",
        409,
        "The union's float is low",
        "Dana terapung kesatuan tidak mencukupi",
        "The account that sends BILL for cash holds less than this top-up and those before it.",
        "Take no cash. The union fills its float up, and then it works again.",
    ),
    ProblemCode(
        "BUDGET_USED",
        409,
        "The union's budget is used up",
        "Peruntukan kesatuan telah digunakan",
        "The union gives away so much in any 30 days, and this would be more.",
        "Give less, or wait; two officers may raise the limit at `/api/v1/budgets`.",
    ),
    ProblemCode(
        "RECEIPT_USED",
        409,
        "This receipt was used",
        "Resit ini telah digunakan",
        "A top-up with this receipt's number was begun at this till or office.",
        "Read it before you take cash again; a new one needs a new receipt.",
    ),
    ProblemCode(
        "TOP_UP_IN_FLIGHT",
        409,
        "This top-up can't be reversed",
        "Tambah nilai ini tidak boleh dibatalkan",
        "A signer has it in hand, or its BILL was sent.",
        "Wait until it has failed; what was sent comes back by a cash-out.",
    ),
    ProblemCode(
        "NO_WALLET",
        422,
        "There is no such wallet",
        "Tiada dompet sedemikian",
        "The person has not linked this wallet, or none, or nobody has.",
        "Let them link their wallet first.",
    ),
    ProblemCode(
        "NAME_THE_WALLET",
        422,
        "This person has several wallets",
        "Orang ini mempunyai beberapa dompet",
        "BILL goes to one wallet, and it was not said to which.",
        "Send its `address` as well.",
    ),
    ProblemCode(
        "DAY_USED_UP",
        403,
        "The day is used up",
        "Had harian telah dicapai",
        "Two officers let somebody have so much in 24 hours, and no more.",
        "Try again tomorrow.",
    ),
    ProblemCode(
        "NOTHING_OWED",
        409,
        "Nothing is owed",
        "Tiada bayaran terhutang",
        "Nothing came in for this cash-out, or all of it was paid.",
        "Read it: it may have been paid by somebody else.",
    ),
    ProblemCode(
        "SUM_CHANGED",
        409,
        "Another sum is owed by now",
        "Jumlah terhutang telah berubah",
        "More came in after a second person was asked.",
        "Ask again for the whole sum.",
    ),
)
