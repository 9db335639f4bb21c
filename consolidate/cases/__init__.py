"""Cases: fixture stores with the rows that they must become. CI for mappings, see `consolidate.cases.trial`."""
