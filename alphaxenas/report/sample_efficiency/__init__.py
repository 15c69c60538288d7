"""Studies on tables: journals, measures, figures and tables."""
