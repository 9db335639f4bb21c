-- Purpose: exact decimal numbers as {m, s}: the value m ÷ 10^s, in lowest terms where `num` made it. Overflow gives null.
-- Params:  none.
-- Returns: nothing; makes the macros num, num_*.
-- Lock:    none.

-- 10^n for n from 0 to 38; null outside. (A list, because it writes n out once.)
create or replace macro pow10(n) as ([
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000,
    1000000000000, 10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
    1000000000000000000, 10000000000000000000, 100000000000000000000, 1000000000000000000000,
    10000000000000000000000, 100000000000000000000000, 1000000000000000000000000, 10000000000000000000000000,
    100000000000000000000000000, 1000000000000000000000000000, 10000000000000000000000000000,
    100000000000000000000000000000, 1000000000000000000000000000000, 10000000000000000000000000000000,
    100000000000000000000000000000000, 1000000000000000000000000000000000, 10000000000000000000000000000000000,
    100000000000000000000000000000000000, 1000000000000000000000000000000000000,
    10000000000000000000000000000000000000, 100000000000000000000000000000000000000
]::hugeint[])[(n) + 1];

-- Whether a text is a decimal number, with an exponent or not. Neither NaN nor infinity is.
create or replace macro is_number(t) as regexp_full_match(t, '[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?');

create or replace macro num_of(m, s) as
    case
        when (m) is null or (s) is null then null
        when (s) >= 0 then {'m': (m)::hugeint, 's': (s)::integer}
        when try((m)::hugeint * pow10(-(s))) is null then null
        else {'m': try((m)::hugeint * pow10(-(s))), 's': 0::integer}
    end;

-- A number with an exponent or with many digits. (A list of one makes names for what would else be written out again.)
create or replace macro num_long(t) as
    list_transform(
        [{
            'digits': replace(regexp_extract(t, '^[^eE]*'), '.', ''),
            'decimals': (case when contains(t, '.') then strlen(regexp_extract(t, '\.([0-9]*)', 1)) else 0 end)
                - coalesce(try_cast(regexp_extract(t, '[eE]([+-]?[0-9]+)$', 1) as integer), 0)
        }],
        lambda w: case
            when regexp_full_match(w.digits, '[+-]?0*') then {'m': 0::hugeint, 's': 0::integer}
            else num_of(
                try_cast(rtrim(w.digits, '0') as hugeint),
                (w.decimals - (strlen(w.digits) - strlen(rtrim(w.digits, '0'))))::integer
            )
        end
    )[1];

create or replace macro num_plain(t) as
    {'m': try_cast(replace(t, '.', '') as hugeint), 's': (strlen(t) - instr(t, '.'))::integer};

-- The number that a text is; null where it is none or has more than 38 digits.
create or replace macro num(t) as
    case
        when not is_number(t) then null
        when strlen(t) > 38 or contains(t, 'e') or contains(t, 'E') then num_long(t)
        when not contains(t, '.') then {'m': try_cast(t as hugeint), 's': 0::integer}
        when suffix(t, '0') then num_plain(rtrim(t, '0'))
        when t is not null then num_plain(t)
    end;

-- Of a text that was written for a double, the shortest that reads back as the same one. Whole numbers are exact as they are.
create or replace macro shortest(t) as
    case when regexp_matches(t, '[.eE]') then coalesce(try_cast(t as double)::varchar, t) else t end;

-- a ÷ b for integers, b > 0, half to even.
create or replace macro divide_even(a, b) as
    (a) // (b)
    + sign(a)::hugeint * (
        case
            when abs((a) % (b)) > (b) - abs((a) % (b)) then 1::hugeint
            when abs((a) % (b)) = (b) - abs((a) % (b)) then abs((a) // (b)) % 2
            else 0::hugeint
        end
    );

-- The same for bigints below 10^18, which are many times faster than hugeints.
create or replace macro divide_small(a, b) as
    (a) // (b)
    + case
        when abs((a) % (b)) * 2 > (b) then sign(a)::bigint
        when abs((a) % (b)) * 2 = (b) then ((a) // (b)) % 2
        else 0
    end;

-- Whether x has so few digits, and n cuts so few of them off, that bigints do.
create or replace macro num_is_small(x, n) as abs((x).m) < 1000000000000000000::hugeint and (x).s - (n) <= 17;

create or replace macro num_round(x, n) as
    case
        when (x).s <= (n) then x
        when (x).s - (n) > 38 then {'m': 0::hugeint, 's': 0::integer}
        when num_is_small(x, n)
            then {'m': divide_small((x).m::bigint, pow10((x).s - (n))::bigint)::hugeint, 's': (n)::integer}
        when x is not null then {'m': divide_even((x).m, pow10((x).s - (n))), 's': (n)::integer}
    end;

create or replace macro num_neg(x) as case when x is not null then {'m': -(x).m, 's': (x).s} end;

create or replace macro num_abs(x) as case when x is not null then {'m': abs((x).m), 's': (x).s} end;

create or replace macro num_mul(a, b) as num_of(try((a).m * (b).m), (a).s + (b).s);

create or replace macro num_add(a, b) as
    case
        when (a).s >= (b).s then num_of(try((a).m + (b).m * pow10((a).s - (b).s)), (a).s)
        else num_of(try((a).m * pow10((b).s - (a).s) + (b).m), (b).s)
    end;

create or replace macro num_sub(a, b) as num_add(a, num_neg(b));

-- -1, 0 or 1.
create or replace macro num_compare(a, b) as
    case
        when (a).s >= (b).s
            then coalesce(sign(try((a).m - (b).m * pow10((a).s - (b).s))), sign((a).m::double / 10::double ** (a).s - (b).m::double / 10::double ** (b).s))
        else coalesce(sign(try((a).m * pow10((b).s - (a).s) - (b).m)), sign((a).m::double / 10::double ** (a).s - (b).m::double / 10::double ** (b).s))
    end;

-- a ÷ b with e more digits, a ≥ 0, b > 0, by long division, where a × 10^e has too many digits; half to even.
create or replace macro divide_long(a, b, e) as
    list_transform(
        [
            list_reduce(
                list_transform(range((e)::bigint), lambda i: {'q': 0::hugeint, 'r': 0::hugeint}),
                lambda x, y: {'q': x.q * 10 + (x.r * 10) // (b), 'r': (x.r * 10) % (b)},
                {'q': (a) // (b), 'r': (a) % (b)}
            )
        ],
        lambda z: z.q + case
            when z.r > (b) - z.r then 1::hugeint
            when z.r = (b) - z.r then z.q % 2
            else 0::hugeint
        end
    )[1];

-- w.a × 10^w.e ÷ w.b, half to even; w.p is w.a × 10^w.e where that has few enough digits.
create or replace macro divide_scaled(w) as
    case
        when (w).e > 60 then null
        when (w).e < 0 then divide_even((w).a, try((w).b * pow10(-(w).e)))
        when (w).p is not null then divide_even((w).p, (w).b)
        else try(sign((w).a)::hugeint * divide_long(abs((w).a), (w).b, (w).e))
    end;

-- a ÷ b with n decimals, half to even; null where b is 0 or null.
create or replace macro num_ratio(a, b, n) as
    case
        when (b).m <> 0 then list_transform(
            [
                try(
                    list_transform(
                        [{
                            'a': (a).m * sign((b).m)::hugeint,
                            'b': abs((b).m),
                            'e': (n) + (b).s - (a).s,
                            'p': try((a).m * sign((b).m)::hugeint * pow10((n) + (b).s - (a).s))
                        }],
                        lambda w: divide_scaled(w)
                    )[1]
                )
            ],
            lambda q: case when q is not null then {'m': q, 's': (n)::integer} end
        )[1]
    end;

-- Unscaled integer at n decimals; null where the value has more decimals than n or too many digits.
create or replace macro num_unscaled(x, n) as
    case
        when (x).s = (n) then (x).m
        when (x).s < (n) then try((x).m * pow10((n) - (x).s))
        when (x).m % pow10((x).s - (n)) = 0 then (x).m // pow10((x).s - (n))
    end;

-- Whether the value has at most n decimals.
create or replace macro num_fits(x, n) as
    case
        when (x).s <= (n) then true
        when (x).s - (n) > 38 then (x).m = 0
        when num_is_small(x, n) then (x).m::bigint % pow10((x).s - (n))::bigint = 0
        else (x).m % pow10((x).s - (n)) = 0
    end;

create or replace macro num_at_30(m, s) as
    try_cast((case when (s) <= 30 then try((m) * pow10(30 - (s))) else (m) // pow10(least((s) - 30, 38)) end)::decimal(38, 0)
        * '0.000000000000000000000000000001'::decimal(31, 30) as decimal(38, 30));

-- By how much `rounded` (a num_round of x) differs from x, with 30 decimals; null where it does not.
create or replace macro num_change(x, rounded) as
    case
        when (x).s > (rounded).s then nullif(
            num_at_30(abs((x).m - coalesce((rounded).m * pow10((x).s - (rounded).s), 0)), (x).s), 0::decimal(38, 30)
        )
    end;

create or replace macro num_text(x) as
    case
        when (x).s = 0 then (x).m::varchar
        else (case when (x).m < 0 then '-' else '' end)
            || left(lpad(abs((x).m)::varchar, greatest((x).s + 1, length(abs((x).m)::varchar))::integer, '0'), -(x).s)
            || '.'
            || right(lpad(abs((x).m)::varchar, greatest((x).s + 1, length(abs((x).m)::varchar))::integer, '0'), (x).s)
    end;

-- Sum of a group; null where one is null or there is none.
create or replace macro num_sum(x) as
    case when count(*) = count(x) and count(*) > 0 then list_reduce(list(x), lambda a, b: num_add(a, b)) end;

create or replace macro is_not_finite(t) as regexp_full_match(lower(t), '[+-]?(nan|inf|infinity)');
