-- The metrics with what they are.
SELECT name, higher_is_better, description FROM metrics;
