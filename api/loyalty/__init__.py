"""Points: one for every order that turns paid; five of them are a coupon for free milk."""
