-- Every table and view with its comment, its columns in order.
WITH relations AS (
    SELECT table_name AS name, comment, true AS is_table FROM duckdb_tables() WHERE NOT internal
    UNION ALL
    SELECT view_name AS name, comment, false AS is_table FROM duckdb_views() WHERE NOT internal
), described AS (
    -- A view's column means what the table's column of that name means.
    SELECT column_name, any_value(comment) AS comment FROM duckdb_columns() WHERE NOT internal GROUP BY column_name
)
SELECT
    relations.name, relations.comment, is_table,
    list({'name': column_name, 'type': data_type, 'comment': coalesce(columns.comment, described.comment)}
         ORDER BY column_index) AS columns
FROM relations
JOIN (SELECT * FROM duckdb_columns() WHERE NOT internal) AS columns ON columns.table_name = relations.name
LEFT JOIN described USING (column_name)
GROUP BY ALL
ORDER BY is_table, name;
