"""The command line: `app` is the root and the error boundary, each verb has a file. No SQL and no decisions."""
