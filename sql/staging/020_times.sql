-- Purpose: times as naive UTC timestamps, with what is wrong about a text told apart.
-- Params:  none.
-- Returns: nothing; makes the macros time_*, local_*.
-- Lock:    none.

create or replace macro is_time(t) as
    regexp_full_match(t, '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?');

-- No clock is more than 14 hours from UTC; PostgreSQL takes offsets below 16 hours, and so do we.
create or replace macro is_instant(t) as
    regexp_full_match(t, '[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)? ?([Zz]|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)');

-- Digits beyond the microsecond that are not 0.
create or replace macro time_inexact(t) as regexp_matches(t, '\.[0-9]{6}[0-9]*[1-9]');

-- The naive part of a text that is_time or is_instant accepts; digits beyond the microsecond are left out.
create or replace macro time_naive(t) as
    try_cast(regexp_extract(t, '^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?') as timestamp);

create or replace macro time_offset(t) as
    case
        when regexp_matches(t, '[Zz]$') then 0
        else (case when regexp_extract(t, '([+-])[0-9:]*$', 1) = '-' then -1 else 1 end) * (
            60 * try_cast(regexp_extract(t, '[+-]([0-9]{2}):?([0-9]{2})?$', 1) as integer)
            + coalesce(try_cast(nullif(regexp_extract(t, '[+-]([0-9]{2}):?([0-9]{2})?$', 2), '') as integer), 0)
        )
    end;

create or replace macro time_instant(t) as case when is_instant(t) then time_naive(t) - to_minutes(time_offset(t)) end;

create or replace macro time_plain(t) as case when is_time(t) then try_cast(left(t, 26) as timestamp) end;

create or replace macro time_in_range(x) as x >= timestamp '0001-01-01 00:00:00' and x < timestamp '10000-01-01 00:00:00';

-- A UTC time as the clock of a zone shows it.
create or replace macro local_clock(u, zone) as timezone(zone, timezone('UTC', u));

create or replace macro local_before(t, zone) as (t) - (local_clock((t) - interval 1 day, zone) - ((t) - interval 1 day));

create or replace macro local_after(t, zone) as (t) - (local_clock((t) + interval 1 day, zone) - ((t) + interval 1 day));

-- What is wrong about a local time t: a clock change repeats or skips it; null where nothing is. `before` and `after` are
-- local_before(t, zone) and local_after(t, zone).
create or replace macro local_fault(t, before, after, zone) as
    case
        when before = after then null
        when local_clock(before, zone) = (t) and local_clock(after, zone) = (t) then 'ambiguous_time'
        when local_clock(before, zone) <> (t) and local_clock(after, zone) <> (t) then 'skipped_time'
    end;

-- A local time as UTC; where local_fault is not null it means nothing.
create or replace macro local_utc(t, before, after, zone) as
    case
        when before = after then after
        when local_clock(after, zone) = (t) then after
        else before
    end;

create or replace macro time_json(x) as
    '"' || strftime(x, '%Y-%m-%dT%H:%M:%S')
    || case when microsecond(x) % 1000000 = 0 then '' else rtrim(strftime(x, '.%f'), '0') end || 'Z"';

create or replace macro time_epoch(micros) as try(make_timestamp(try_cast(micros as bigint)));

create or replace macro date_plain(t) as case when regexp_full_match(t, '[0-9]{4}-[0-9]{2}-[0-9]{2}') then try_cast(t as date) end;

-- Times that PostgreSQL knows and the target shall not hold: infinity, years of five digits, years before Christ.
create or replace macro time_unbounded(t) as
    regexp_matches(t, '^[+-]?infinity$') or regexp_matches(t, '^[0-9]{5,}-') or regexp_matches(t, ' BC$');

-- The first second of a day as the clock of a zone has it, the first of the next day, and the last second, as UTC.
create or replace macro day_begins(d, zone) as timezone('UTC', timezone(zone, (d)::timestamp));

create or replace macro next_day_begins(d, zone) as timezone('UTC', timezone(zone, (d)::timestamp + interval 1 day));

create or replace macro day_ends(d, zone) as timezone('UTC', timezone(zone, (d)::timestamp + interval 1 day)) - interval 1 second;

-- Microseconds to whole seconds, floor; in integers, because DuckDB divides decimals as doubles.
create or replace macro floor_seconds(micros) as ((micros) - (((micros) % 1000000) + 1000000) % 1000000) // 1000000;

create or replace macro unix_seconds(t) as floor_seconds(epoch_us(t))::bigint;

-- Whole seconds from a to b as a number; floor, also where b is earlier.
create or replace macro whole_seconds(a, b) as
    case
        when a is null or b is null then null
        else {'m': floor_seconds(epoch_us(b) - epoch_us(a))::hugeint, 's': 0::integer}
    end;
