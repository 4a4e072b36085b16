-- What a completed trial cost, by what it was and what it ran on.
SELECT
    dataset, detector, model, config->>'dynamics' = 'true' AS dynamics,
    coalesce(hardware(device, versions), 'unknown') AS hardware,
    count(*) AS trials,
    median(seconds) / 60 AS minutes,
    max(peak_memory_mb) / 1024 AS memory_gb
FROM attempts
JOIN trials USING (trial_id)
WHERE status = 'completed'
GROUP BY ALL
ORDER BY dataset, detector, dynamics, hardware;
