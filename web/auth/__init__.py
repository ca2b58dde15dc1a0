"""Who asks: credentials, the keys they are verified with, and who stands behind them."""
