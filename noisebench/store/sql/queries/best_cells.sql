-- The best value of each loss's parameter by F1, with its rank in its row of the table.
SELECT sweep, block, dataset, corruption, eta, detector, loss, parameter, value, delay, mean, std, n, seeds_asked, rank
FROM ranked_cells
WHERE metric = 'f1'
ORDER BY sweep, position;
