"""A small bot of the tests' own: its mapping, a case of it, and what that case expects."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM = """\
system: small
kind: sqlite
bot: {bot_name: Small, bot_type: custom, strategy_name: coin, status: active}
tables: [trades]
"""
TRADES = """\
from: trades
key: [id]
columns:
  id: integer
  symbol: text
  side: text
  amount: decimal
  price: decimal
  note: text
  moment: instant
warn:
  - {when: amount > 100, message: a large trade}
into:
  trading.trades:
    trade_id: new_id(symbol, moment)
    symbol: symbol
    side: trade_side[side]
    quantity: amount
    entry_price: price
    position_size_usd: amount * price
    status: "'filled'"
    entry_time: moment
    strategy: "'coin'"
    notes: note
    created_at: moment
    updated_at: moment
  audit.risk_events:
    when: note is not None
    event_time: moment
    risk_type: "'note'"
    current_value: amount
    limit_value: price
    action_taken: "'none'"
    resolution_notes: note
"""
STORE = """\
create table trades (
    id integer primary key, symbol text, side text, amount text, price text, note text, moment text not null
);
"""
ROWS = """\
insert into trades values (1, 'BTCUSDT', 'buy', '0.5', '61000', null, '2025-10-07T08:00:00Z');
insert into trades values (2, 'BTCUSDT', 'sell', '0.5', '62000.25', '', '2025-10-07T09:00:00Z');
insert into trades values (3, 'ETHUSDT', 'hold', '1', '2400', null, '2025-10-07T10:00:00Z');
"""
CASE = """\
about: three trades, of which one has a side that is none
bot: {id: small_001, deployment_mode: demo, initial_capital: 10000}
"""
EXPECTED = {
    "rejects": """\
rows:
- table: trades
  key: 3
  code: unmapped_value
  column: side
  value: hold
""",
    "audit.risk_events": """\
rows:
- from: trades 2
  event_time: 2025-10-07 09:00:00+00
  bot_id: small_001
  risk_type: note
  current_value: 0.50000000
  limit_value: 62000.25000000
  action_taken: none
  resolution_notes: ''
""",
    "trading.bots": """\
rows:
- from: project small_001
  bot_id: small_001
  bot_name: Small
  bot_type: custom
  strategy_name: coin
  status: active
  deployment_mode: demo
  initial_capital: 10000.00000000
  created_at: 2025-10-07 08:00:00+00
  updated_at: 2025-10-07 09:00:00+00
  last_heartbeat: 2025-10-07 09:00:00+00
""",
    "trading.trades": """\
rows:
- from: trades 1
  trade_id: small_001_BTCUSDT_1759824000_2dfb17cead
  bot_id: small_001
  symbol: BTCUSDT
  side: buy
  quantity: 0.50000000
  entry_price: 61000.00000000
  position_size_usd: 30500.00000000
  status: filled
  entry_time: 2025-10-07 08:00:00+00
  strategy: coin
  created_at: 2025-10-07 08:00:00+00
  updated_at: 2025-10-07 08:00:00+00
- from: trades 2
  trade_id: small_001_BTCUSDT_1759827600_6f278b8727
  bot_id: small_001
  symbol: BTCUSDT
  side: sell
  quantity: 0.50000000
  entry_price: 62000.25000000
  position_size_usd: 31000.12500000
  status: filled
  entry_time: 2025-10-07 09:00:00+00
  strategy: coin
  created_at: 2025-10-07 09:00:00+00
  updated_at: 2025-10-07 09:00:00+00
  notes: ''
""",
}


def write(folder: Path) -> Path:
    """Write the mapping into `folder/small`, and its case `first`; the path of that case's folder."""
    mapping = folder / "small"
    case = mapping / "cases" / "first"
    (case / "expected").mkdir(parents=True)
    files = {
        mapping / "system.yaml": SYSTEM,
        mapping / "trades.yaml": TRADES,
        mapping / "cases" / "store.sqlite.sql": STORE,
        case / "rows.sql": ROWS,
        case / "case.yaml": CASE,
        **{case / "expected" / f"{table}.yaml": text for table, text in EXPECTED.items()},
    }
    for file, text in files.items():
        file.write_text(text, encoding="utf-8")
    return case
