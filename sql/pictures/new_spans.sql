-- Purpose: how long a time the balances and the trades among the candidates span (DuckDB), as sql/pictures/spans.sql tells of the target.
-- Params:  none.
-- Returns: bot_id, first and last balance, first and last entry of a trade (microseconds since 1970; null: none), by bot_id.
-- Lock:    none.
select
    bot_id,
    min(balance) as first_balance,
    max(balance) as last_balance,
    min(trade) as first_trade,
    max(trade) as last_trade
from (
    select
        bot_id,
        epoch_us("timestamp") as balance,
        null as trade
    from cand."trading.account_balance"
    where epoch_us("timestamp") between -62135510400000000 and 253402214399999999
    union all
    select
        bot_id,
        null as balance,
        epoch_us(entry_time) as trade
    from cand."trading.trades"
    where epoch_us(entry_time) between -62135510400000000 and 253402214399999999
)
group by bot_id
order by bot_id;
