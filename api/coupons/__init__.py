"""Coupons for free milk: merchant or union pays, the milk is burned, nobody uses one twice."""
