"""Codes about orders and about what wallets sign for them."""

from typing import Final

from api.http.codes.entry import ProblemCode

CODES: Final = (
    ProblemCode(
        "UNKNOWN_PRODUCT",
        422,
        "This product is not sold here",
        "Produk ini tidak dijual di sini",
        "No product that is on sale has this id.",
        "Take an id of `GET /api/v1/products`.",
    ),
    ProblemCode(
        "OUT_OF_STOCK",
        409,
        "There is not enough milk in date",
        "Susu tidak mencukupi",
        "No lot in date holds that much of this milk.",
        "Sell less of it, or another milk, or try again when a lot has been minted.",
    ),
    ProblemCode(
        "ORDER_NOT_PAYABLE",
        409,
        "The order can't be paid any more",
        "Pesanan tidak boleh dibayar lagi",
        "The order is paid, cancelled or over.",
        "Read the order; open a new one if milk is still wanted.",
    ),
    ProblemCode(
        "ORDER_EXPIRED",
        409,
        "The order has expired",
        "Pesanan telah tamat tempoh",
        "The price was held until a time that has passed.",
        "Open a new order.",
    ),
    ProblemCode(
        "NOT_A_TRANSFER",
        422,
        "Only a transfer pays an order",
        "Hanya pindahan boleh membayar pesanan",
        "The signed transaction does something else.",
        "Sign a transfer as the order's offer tells it.",
    ),
    ProblemCode(
        "WRONG_REFERENCE",
        422,
        "The reference is not this order's",
        "Rujukan bukan milik pesanan ini",
        "The transfer bears another order's reference, or none.",
        "Read the offer anew and sign what it says.",
    ),
    ProblemCode(
        "WRONG_PAYEE",
        422,
        "The transfer goes to another account",
        "Pindahan ditujukan kepada akaun lain",
        "The transfer does not go to this order's merchant.",
        "Read the offer anew and sign what it says.",
    ),
    ProblemCode(
        "WRONG_REDEMPTION",
        422,
        "The transfer does not redeem this order's pack",
        "Pindahan tidak menebus pek pesanan ini",
        "The milk that the transfer burns is not what the order sells.",
        "Read the offer anew and sign what it says.",
    ),
    ProblemCode(
        "AMOUNT_MISMATCH",
        422,
        "The amount is not the quote",
        "Jumlah tidak sama dengan sebut harga",
        "The transfer pays more or less than the order costs.",
        "Read the offer anew and sign what it says.",
    ),
)
