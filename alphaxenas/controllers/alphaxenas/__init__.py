"""AlphaXENAS: Monte Carlo tree search guided by a policy-value LSTM."""
