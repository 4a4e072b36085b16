-- Takes the published numbers of a CSV file into published.
INSERT INTO published BY NAME
FROM read_csv($csv, header = true, all_varchar = true, nullstr = '');
