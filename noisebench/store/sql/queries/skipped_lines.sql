-- Lines of journals and manifests that could not be read.
FROM skipped_lines
ORDER BY file, byte;
