-- The metrics that are better one way, so that a parameter can be chosen by them.
SELECT name FROM metrics WHERE higher_is_better IS NOT NULL;
