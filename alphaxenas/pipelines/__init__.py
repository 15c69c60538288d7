"""From a checked configuration to a run folder with results; one module per notebook."""
