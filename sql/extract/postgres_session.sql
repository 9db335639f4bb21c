-- purpose: make the text of every value the same on every server, and every table be read whole and from its beginning
-- params:  none
-- returns: nothing
-- lock:    none; holds until the end of the transaction
set local row_security = off; -- a policy that would hide rows is an error
set local bytea_output = 'hex';
set local intervalstyle = 'postgres';
set local extra_float_digits = 1; -- shortest text that gives the same number
set local synchronize_seqscans = off; -- rows in the order of the heap
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0; -- while DuckDB takes a table in, the session waits
