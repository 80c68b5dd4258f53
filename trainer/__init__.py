"""One recipe in, one result out. Knows no database, no study and no other run."""
