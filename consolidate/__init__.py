"""Move the histories of many trading bots into one PostgreSQL database, and prove that nothing was lost or changed."""
