"""Files of results as people have them: found, unpacked, decoded and read into tables of cells."""
