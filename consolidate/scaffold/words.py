"""How bots call what the unified schema holds: names of tables and columns that a draft compares with."""

from __future__ import annotations

from typing import Final

TABLES: Final = {
    "trading.trades": ("trade", "trades", "fill", "fills", "deal", "deals"),
    "trading.orders": ("order", "orders"),
    "trading.positions": ("position", "positions"),
    "trading.market_data": ("candle", "candles", "kline", "klines", "ohlc", "ohlcv", "market", "bars"),
    "trading.signals": ("signal", "signals"),
    "trading.account_balance": ("balance", "balances", "equity", "account", "wallet"),
    "trading.risk_metrics": ("daily", "metrics", "performance"),
    "analytics.portfolio_snapshots": ("portfolio",),
    "audit.risk_events": ("risk",),
    "audit.system_events": ("event", "events", "log", "logs", "error", "errors"),
}
"""The unified tables in the order in which they are tried, each with words that names of such tables have."""

ALIKE: Final = {
    "symbol": ("pair", "ticker", "instrument", "market"),
    "side": ("direction", "action"),
    "quantity": ("qty", "size", "amount", "volume"),
    "size": ("quantity", "qty", "amount"),
    "entry_price": ("open_price", "price_open", "avg_entry", "avg_price", "price"),
    "avg_entry_price": ("entry_price", "entry", "avg_price"),
    "exit_price": ("close_price", "price_close", "closing_price"),
    "entry_time": ("opened_at", "opened", "open_time", "executed_at", "timestamp", "time", "ts", "created_at"),
    "exit_time": ("closed_at", "closed", "close_time"),
    "opened_at": ("entry_time", "open_time", "opened", "timestamp", "created_at"),
    "closed_at": ("exit_time", "close_time", "closed"),
    "position_size_usd": ("notional", "cost", "value", "size_usd"),
    "pnl_usd": ("pnl", "profit", "realized_pnl", "net_pnl", "result"),
    "pnl_pct": ("profit_pct", "return_pct", "roi"),
    "fees": ("fee",),
    "exit_reason": ("reason", "close_reason"),
    "status": ("state",),
    "strategy": ("strategy_name",),
    "stop_loss": ("sl", "stop"),
    "take_profit": ("tp",),
    "notes": ("note", "comment"),
    "order_type": ("type", "kind"),
    "filled_quantity": ("filled", "filled_qty", "executed_qty"),
    "interval": ("timeframe", "tf", "period"),
    "timestamp": ("time", "ts", "date", "at", "taken_at", "open_time", "created_at"),
    "open_price": ("open",),
    "high_price": ("high",),
    "low_price": ("low",),
    "close_price": ("close",),
    "signal_type": ("signal", "type", "action", "side"),
    "strength": ("signal_strength", "score"),
    "total_balance": ("balance", "total"),
    "available_balance": ("available", "free"),
    "locked_balance": ("locked", "used"),
    "equity": ("total_equity", "account_value"),
    "date": ("day",),
    "starting_equity": ("start_equity", "equity_start"),
    "ending_equity": ("end_equity", "equity_end"),
    "total_trades": ("trades", "trade_count"),
    "winning_trades": ("wins",),
    "losing_trades": ("losses",),
    "event_time": ("timestamp", "time", "ts", "at", "created_at"),
    "event_type": ("type", "kind", "event"),
    "event_level": ("level", "severity"),
    "message": ("msg", "text", "description"),
    "details": ("context", "payload", "extra"),
    "component": ("module", "source", "logger"),
    "created_at": ("created", "timestamp"),
    "updated_at": ("updated",),
}
"""Columns of the target with other names for the same, the likeliest first."""

VALUE_MAPS: Final = {
    "trading.trades.side": "trade_side",
    "trading.trades.status": "trade_status",
    "trading.orders.side": "order_side",
    "trading.orders.status": "order_status",
    "trading.positions.side": "position_side",
    "trading.positions.status": "position_status",
    "trading.market_data.interval": "candle_interval",
    "audit.system_events.event_level": "log_level",
}
"""The shared value map that a column of the target goes through."""

IDS: Final = {
    "trading.trades": ("trade_id", "entry_time"),
    "trading.positions": ("position_id", "opened_at"),
    "trading.orders": ("order_id", "created_at"),
    "trading.signals": ("signal_id", "timestamp"),
}
"""The text id that each row of a table gets, and the column of the target whose time is in it."""

UNITLESS: Final = frozenset(
    {"leverage", "retry_count", "total_trades", "winning_trades", "losing_trades", "breakeven_trades", "trades_count"}
)
"""Numbers whose unit cannot be mistaken. Names that say their unit (`_usd`, `_seconds`) are not asked about either."""

PRICES: Final = frozenset(
    {
        "entry_price", "exit_price", "avg_fill_price", "avg_entry_price", "price", "stop_price", "stop_loss",
        "take_profit", "current_price", "highest_price", "lowest_price", "open_price", "high_price", "low_price",
        "close_price", "suggested_stop_loss", "suggested_take_profit",
    }
)  # fmt: skip
"""Prices: quote units for one base unit."""

SAID: Final = ("_usd", "_seconds", "_hours")
"""Endings of names that say the unit."""
