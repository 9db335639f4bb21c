-- Purpose: the equity of the bots that a load writes (DuckDB).
-- Params:  none.
-- Returns: bot_id, equity (a decimal as text; null: not recorded).
-- Lock:    none.
select
    c.bot_id,
    c.current_equity::varchar as equity
from cand."trading.bots" c
join work."diff trading.bots" d on d.n = c."#n"
where d.action in ('insert', 'update');
