"""Players: what to try next. Every controller asks for evaluations, is told their outcomes, and can be stopped and restored."""
