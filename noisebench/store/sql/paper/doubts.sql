-- What casts doubt on numbers: how often, with one example.
SELECT 'result that says nothing: ' || guard AS what, count(*) AS times, min(trial_id) AS example
FROM results WHERE guard IS NOT NULL GROUP BY guard
UNION ALL
SELECT 'trial completed again with a different ' || metric, count(*), min(trial_id)
FROM disagreements GROUP BY metric
UNION ALL
SELECT 'unreadable line: ' || why, count(*), min(format('{}, byte {}', file, byte))
FROM skipped_lines GROUP BY why
ORDER BY times DESC, what;
