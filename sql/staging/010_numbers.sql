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

-- From a number's digits without its point (sign kept), the decimals and the exponent that were there.
create or replace macro num_digits(digits, decimals, exponent) as
    case
        when regexp_full_match(digits, '[+-]?0*') then {'m': 0::hugeint, 's': 0::integer}
        else num_of(
            try_cast(rtrim(digits, '0') as hugeint),
            (decimals) - (exponent) - (strlen(digits) - strlen(rtrim(digits, '0')))::integer
        )
    end;

create or replace macro num_mantissa(mantissa, exponent) as
    num_digits(
        replace(mantissa, '.', ''),
        (case when instr(mantissa, '.') = 0 then 0 else strlen(mantissa) - instr(mantissa, '.') end)::integer,
        exponent
    );

create or replace macro num_written(t) as
    case
        when instr(t, 'e') = 0 and instr(t, 'E') = 0 then num_mantissa(t, 0)
        else num_mantissa(
            regexp_extract(t, '^[^eE]*'),
            coalesce(try_cast(regexp_extract(t, '[eE]([+-]?[0-9]+)$', 1) as integer), 0)
        )
    end;

-- The number that a text is; null where it is none or has more than 38 digits.
create or replace macro num(t) as case when is_number(t) then num_written(t) end;

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

create or replace macro num_round(x, n) as
    case
        when (x).s <= (n) then x
        when (x).s - (n) > 38 then {'m': 0::hugeint, 's': 0::integer}
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

-- |a| ÷ b with e more digits, b > 0, by long division, where a × 10^e has too many digits; half to even.
create or replace macro divide_long(a, b, e) as
    (
        list_transform([
            list_reduce(
                list_transform(range((e)::bigint), lambda i: {'q': 0::hugeint, 'r': 0::hugeint}),
                lambda x, y: {'q': x.q * 10 + (x.r * 10) // (b), 'r': (x.r * 10) % (b)},
                {'q': (a) // (b), 'r': (a) % (b)}
            )
        ], lambda z: z.q + case
            when z.r > (b) - z.r then 1::hugeint
            when z.r = (b) - z.r then z.q % 2
            else 0::hugeint
        end)
    )[1];

create or replace macro divide_scaled(a, b, e) as
    case
        when (e) > 60 then null
        when (e) < 0 then divide_even(a, try((b) * pow10(-(e))))
        when try((a) * pow10(e)) is not null then divide_even(try((a) * pow10(e)), b)
        else try(sign(a)::hugeint * divide_long(abs(a), b, e))
    end;

-- a ÷ b with n decimals, half to even; null where b is 0 or null.
create or replace macro num_ratio(a, b, n) as
    case
        when (b).m = 0 then null
        else num_of(try(divide_scaled((a).m * sign((b).m)::hugeint, abs((b).m), (n) + (b).s - (a).s)), n)
    end;

-- Unscaled integer at n decimals; null where the value has more decimals than n or too many digits.
create or replace macro num_unscaled(x, n) as
    case
        when (x).s <= (n) then try((x).m * pow10((n) - (x).s))
        when (x).m % pow10((x).s - (n)) = 0 then (x).m // pow10((x).s - (n))
    end;

-- Whether the value has at most n decimals.
create or replace macro num_fits(x, n) as
    case
        when (x).s <= (n) then true
        when (x).s - (n) > 38 then (x).m = 0
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
