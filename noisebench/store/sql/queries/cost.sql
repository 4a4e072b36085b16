-- Minutes and memory of a completed trial by data set and device, with the hours of all attempts.
SELECT
    dataset, detector, model, device,
    count(*) FILTER (status = 'completed') AS completed,
    round(avg(seconds) FILTER (status = 'completed') / 60, 2) AS minutes_a_trial,
    round(max(peak_memory_mb)) AS peak_memory_mb,
    round(sum(seconds) / 3600, 2) AS hours
FROM attempts
JOIN trials USING (trial_id)
GROUP BY ALL
ORDER BY hours DESC NULLS LAST, dataset, detector, model, device;
