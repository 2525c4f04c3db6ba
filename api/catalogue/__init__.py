"""What is sold: products and their price, the lots of milk behind them, and who sells."""
