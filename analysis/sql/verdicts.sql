-- How far a measured mean may lie from a printed one.

-- The deviation of two samples taken together; a printed one counts as at least half of its last usual digit,
-- and where none is printed the measured one stands alone.
CREATE OR REPLACE TEMP MACRO pooled_deviation(printed, printed_n, measured, measured_n) AS
    CASE
        WHEN printed IS NULL THEN measured
        ELSE sqrt(
            ((printed_n - 1) * greatest(printed, 0.0005) ** 2 + (measured_n - 1) * measured ** 2)
            / nullif(printed_n + measured_n - 2, 0)
        )
    END;

-- Whether a measured mean agrees with a printed one. Decimal digits have no exact binary value, hence the 1e-12.
CREATE OR REPLACE TEMP MACRO verdict(difference, deviation, measured_n, tolerance) AS
    CASE
        WHEN coalesce(measured_n, 0) = 0 THEN 'missing'
        WHEN measured_n < 2 THEN 'too few seeds'
        WHEN abs(difference) <= 2 * deviation + tolerance + 1e-12 THEN 'reproduced'
        WHEN difference > 0 THEN 'higher'
        ELSE 'lower'
    END;
