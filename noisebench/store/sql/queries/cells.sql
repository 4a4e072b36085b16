-- Mean and deviation of F1 for every configuration.
SELECT dataset, corruption, eta, detector, loss, loss_parameters, delay, model, mean, std, n
FROM cells
WHERE metric = 'f1'
ORDER BY dataset, corruption, eta, detector, loss, value, delay;
