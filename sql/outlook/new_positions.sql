-- Purpose: the open positions that a load writes (DuckDB).
-- Params:  none.
-- Returns: bot_id, open positions.
-- Lock:    none.
select
    c.bot_id,
    count(*) as open_positions
from cand."trading.positions" c
join work."diff trading.positions" d on d.n = c."#n"
where d.action in ('insert', 'update')
    and c.status = 'open'
group by
    c.bot_id;
