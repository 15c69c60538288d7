"""What stored runs say: loading, statistics, figures, tables, the checklist. Reads run folders, never TensorFlow."""

from alphaxenas.report.runs import StoredRun, Suite, choose_suite, load_suite

__all__ = ["StoredRun", "Suite", "choose_suite", "load_suite"]
