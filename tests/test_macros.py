"""The macros of staging against Python's decimal and zoneinfo, and against PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from fractions import Fraction
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consolidate.postgres import connect
from consolidate.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from consolidate import embedded

EXACT = Context(prec=200)
FEW = settings(max_examples=25, deadline=None)
"""An example is a batch of hundreds of values: one statement each would be slow."""


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    with Staging.open(tmp_path_factory.mktemp("macros") / "staging.duckdb") as opened:
        opened.fit([0], is_kept=False)
        yield opened


def _asked(staging: Staging, expression: str, rows: Sequence[Sequence[str | None]]) -> list[str | None]:
    """What the expression over `a`, `b` and `n` gives for each row, as text."""
    staging.run("create or replace table work.asked (i bigint, a varchar, b varchar, n varchar)")
    written = [json.dumps([i, *row, *[None] * (3 - len(row))]) for i, row in enumerate(rows)]
    staging.run(
        "insert into work.asked select (x->>0)::bigint, x->>1, x->>2, x->>3 from (select unnest($1::json[]) as x)",
        [written],
    )
    found = staging.rows(f"select ({expression})::varchar from work.asked order by i")
    return [None if value is None else str(value) for (value,) in found]


def _numbers(staging: Staging, expression: str, rows: Sequence[Sequence[str | None]]) -> list[str | None]:
    """As `_asked`, over the numbers `a` and `b`; what the expression gives is a number too."""
    _asked(staging, "1", rows)
    # A layer a macro: macros write their arguments out, so that nested ones would grow without bound.
    typed = "select i, num(a) as a, num(b) as b, n::integer as n from work.asked"
    found = staging.rows(f"select num_text(x) from (select i, ({expression}) as x from ({typed})) order by i")
    return [None if value is None else str(value) for (value,) in found]


@st.composite
def numbers(draw: st.DrawFn, *, digits: int = 38, decimals: int = 18) -> Decimal:
    """Numbers of at most so many digits and decimals; small ones and ends of ranges as often as large ones."""
    size = draw(st.integers(1, digits))
    unscaled = draw(
        st.one_of(st.integers(-(10**size) + 1, 10**size - 1), st.sampled_from([0, 1, -1, 5, -5, 10**size - 1]))
    )
    return Decimal(unscaled).scaleb(-draw(st.integers(0, decimals)), EXACT)


def written(value: Decimal) -> str:
    return format(value, "f")


BATCH = 50


@FEW
@given(st.lists(numbers(), min_size=1, max_size=BATCH))
def test_a_number_of_38_digits_and_18_decimals_is_read_and_written_unchanged(
    staging: Staging, values: list[Decimal]
) -> None:
    found = _numbers(staging, "a", [[written(value)] for value in values])
    assert [Decimal(text or "nan") for text in found] == values
    again = _numbers(staging, "a", [[text] for text in found])
    assert again == found


@FEW
@given(
    st.lists(
        st.tuples(numbers(digits=30), st.integers(-30, 30), st.sampled_from(["e", "E", "e+"])),
        min_size=1,
        max_size=BATCH,
    )
)
def test_an_exponent_means_what_it_means_in_python(staging: Staging, values: list[tuple[Decimal, int, str]]) -> None:
    rows = [[f"{written(value)}{sign if power >= 0 else 'e'}{power}"] for value, power, sign in values]
    found = _numbers(staging, "a", rows)
    for (value, power, _), text in zip(values, found, strict=True):
        wanted = value.scaleb(power, EXACT)
        fits = (
            len(wanted.normalize(EXACT).as_tuple().digits) + max(0, int(wanted.normalize(EXACT).as_tuple().exponent))
            <= 38
        )
        assert text is not None or not fits
        assert text is None or Decimal(text) == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), (".", None), ("1.", "1"), (".5", "0.5"), ("+7", "7"), ("-0", "0"), ("-0.0", "0"), ("007", "7"),
        ("1e400", None), ("1e-400", "0." + "0" * 399 + "1"), ("0e400", "0"), ("1e99999", None), ("1 ", None), ("١", None), ("1,5", None),
        ("NaN", None), ("Infinity", None), ("0x10", None), ("1_000", None), ("--1", None), ("1e", None), ("1e5", "100000"),
        ("100", "100"), ("100.00", "100"), ("1.50", "1.5"), ("12345678901234567890123456789012345678901", None),
        ("00000000000000000000000000000000000000000000000001.5", "1.5"), ("99999999999999999999999999999999999999", "9" * 38),
        ("1.00000000000000000000000000000000000000000000000", "1"),
    ],
)  # fmt: skip
def test_what_is_no_number_is_none_and_what_is_one_is_read(staging: Staging, text: str, value: str | None) -> None:
    assert _numbers(staging, "a", [[text]]) == [value]


def test_a_null_goes_through_every_macro_as_null(staging: Staging) -> None:
    for expression in ("a", "num_round(a, 2)", "num_add(a, b)", "num_sub(b, a)", "num_mul(a, b)", "num_ratio(a, b, 2)",
                       "num_ratio(b, a, 2)", "num_neg(a)", "num_abs(a)"):  # fmt: skip
        assert _numbers(staging, expression, [[None, "2"]]) == [None], expression
    for expression in ("num_text(num(a))", "num_compare(num(a), num('1'))", "num_unscaled(num(a), 2)"):
        assert _asked(staging, expression, [[None]]) == [None], expression


@FEW
@given(st.lists(st.tuples(numbers(), st.integers(0, 18)), min_size=1, max_size=BATCH))
def test_rounding_is_half_even_as_pythons(staging: Staging, values: list[tuple[Decimal, int]]) -> None:
    found = _numbers(staging, "num_round(a, n)", [[written(v), None, str(n)] for v, n in values])
    for (value, decimals), text in zip(values, found, strict=True):
        assert Decimal(text or "nan") == value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN, EXACT)


@FEW
@given(
    st.lists(
        st.tuples(st.integers(-(10**17), 10**17), st.integers(0, 17), st.integers(0, 8)), min_size=1, max_size=BATCH
    )
)
def test_ties_are_rounded_to_even(staging: Staging, values: list[tuple[int, int, int]]) -> None:
    ties = [(Decimal(whole * 10 + 5).scaleb(-decimals - 1, EXACT), decimals) for whole, decimals, _ in values]
    found = _numbers(staging, "num_round(a, n)", [[written(v), None, str(n)] for v, n in ties])
    for (value, decimals), text in zip(ties, found, strict=True):
        assert Decimal(text or "nan") == value.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN, EXACT)


PAIRS = st.lists(st.tuples(numbers(digits=19, decimals=9), numbers(digits=18, decimals=9)), min_size=1, max_size=BATCH)
WIDE_PAIRS = st.lists(st.tuples(numbers(), numbers()), min_size=1, max_size=BATCH)


@FEW
@given(PAIRS)
def test_arithmetic_is_exact(staging: Staging, values: list[tuple[Decimal, Decimal]]) -> None:
    rows = [[written(a), written(b)] for a, b in values]
    with localcontext(EXACT):
        for macro, wanted in (
            ("num_add", [a + b for a, b in values]),
            ("num_sub", [a - b for a, b in values]),
            ("num_mul", [a * b for a, b in values]),
        ):
            found = _numbers(staging, f"{macro}(a, b)", rows)
            assert [Decimal(text or "nan") for text in found] == wanted, macro


@FEW
@given(WIDE_PAIRS)
def test_arithmetic_beyond_38_digits_is_null_and_never_wrong(
    staging: Staging, values: list[tuple[Decimal, Decimal]]
) -> None:
    rows = [[written(a), written(b)] for a, b in values]
    with localcontext(EXACT):
        for macro, wanted in (("num_add", [a + b for a, b in values]), ("num_mul", [a * b for a, b in values])):
            for text, value in zip(_numbers(staging, f"{macro}(a, b)", rows), wanted, strict=True):
                assert text is None or Decimal(text) == value


@FEW
@given(WIDE_PAIRS)
def test_comparison_is_exact_where_both_have_the_same_decimals_or_differ_in_size(
    staging: Staging, values: list[tuple[Decimal, Decimal]]
) -> None:
    pairs = [
        *values,
        *((a, a) for a, _ in values),
        *((a, a + Decimal(1).scaleb(int(a.as_tuple().exponent))) for a, _ in values),
    ]
    found = _asked(staging, "num_compare(num(a), num(b))::integer", [[written(a), written(b)] for a, b in pairs])
    assert [int(text or "9") for text in found] == [(a > b) - (a < b) for a, b in pairs]


@FEW
@given(st.lists(st.tuples(numbers(), numbers(digits=30), st.integers(0, 18)), min_size=1, max_size=BATCH))
def test_a_ratio_is_half_even_or_null_where_it_has_too_many_digits(
    staging: Staging, values: list[tuple[Decimal, Decimal, int]]
) -> None:
    rows = [[written(a), written(b), str(n)] for a, b, n in values]
    found = _numbers(staging, "num_ratio(a, b, n)", rows)
    for (upper, lower, decimals), text in zip(values, found, strict=True):
        if lower == 0:
            assert text is None
            continue
        wanted = round(Fraction(upper) / Fraction(lower) * 10**decimals)  # round() of a fraction is half-even
        if text is None:
            assert abs(wanted) > 10**36
        else:
            assert Fraction(text) * 10**decimals == wanted


@FEW
@given(st.lists(st.tuples(numbers(), st.integers(0, 12)), min_size=1, max_size=BATCH))
def test_whether_a_number_fits_is_told_exactly(staging: Staging, values: list[tuple[Decimal, int]]) -> None:
    rows = [[written(v), None, str(n)] for v, n in values]
    fits = _asked(staging, "num_fits(num(a), n::integer)", rows)
    unscaled = _asked(staging, "num_unscaled(num(a), n::integer)", rows)
    for (value, decimals), fit, whole in zip(values, fits, unscaled, strict=True):
        scaled = value.scaleb(decimals, EXACT)
        is_whole = scaled == scaled.to_integral_value()
        assert fit == str(is_whole).lower()
        assert (whole is None) or Decimal(whole) == scaled
        assert whole is not None or not is_whole or abs(scaled) >= 10**38


@FEW
@given(st.lists(st.lists(numbers(digits=20, decimals=8), min_size=1, max_size=5), min_size=20, max_size=20))
def test_a_sum_is_exact_and_null_where_one_is_null(staging: Staging, groups: list[list[Decimal]]) -> None:
    rows = [[str(i), written(value)] for i, group in enumerate(groups) for value in group]
    _asked(staging, "1", rows)
    found = staging.rows("select num_text(num_sum(num(b))) from work.asked group by a order by a::integer")
    with localcontext(EXACT):
        assert [Decimal(str(text)) for (text,) in found] == [sum(group, Decimal(0)) for group in groups]
    staging.run("insert into work.asked values (-1, '0', null, null)")
    assert staging.value("select num_text(num_sum(num(b))) from work.asked where a = '0'") is None


# -- times ---------------------------------------------------------------------------------------------------------------

ZONES = ("Europe/London", "Europe/Dublin", "Australia/Lord_Howe", "Africa/Casablanca", "America/New_York", "Asia/Kathmandu",
         "America/Sao_Paulo", "Asia/Tehran", "Pacific/Auckland", "UTC")  # fmt: skip
_LOCAL = (
    "select v.i, local_fault(v.t, v.b, v.f, $1), local_utc(v.t, v.b, v.f, $1)::varchar from (select i, a::timestamp as t,"
    " local_before(a::timestamp, $1) as b, local_after(a::timestamp, $1) as f from work.asked) v order by v.i"
)


def _changes(zone: ZoneInfo, first: int, last: int) -> list[datetime]:
    """The hours around each change of the zone's offset, as naive UTC."""
    found = []
    now = datetime(first, 1, 1, tzinfo=UTC)
    while now.year <= last:
        if now.astimezone(zone).utcoffset() != (now + timedelta(hours=1)).astimezone(zone).utcoffset():
            found.append(now.replace(tzinfo=None))
        now += timedelta(hours=1)
    return found


def _meanings(local: datetime, zone: ZoneInfo) -> set[datetime]:
    """The moments, as naive UTC, at which the zone's clock shows this time."""
    found = set()
    for fold in (0, 1):
        moment = local.replace(tzinfo=zone, fold=fold).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local:
            found.add(moment.replace(tzinfo=None))
    return found


@pytest.mark.parametrize("name", ZONES)
def test_local_times_around_every_clock_change_mean_what_zoneinfo_says(staging: Staging, name: str) -> None:
    zone = ZoneInfo(name)
    locals_ = {datetime(2024, 6, 1, 12), datetime(2024, 2, 29, 23, 59, 59, 999999)}
    for change in _changes(zone, 2022, 2025):
        wall = change.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
        locals_ |= {wall + timedelta(minutes=15 * step, microseconds=step % 2) for step in range(-14, 15)}
    times = sorted(locals_)
    _asked(staging, "1", [[str(time)] for time in times])
    for (_, fault, utc), local in zip(staging.rows(_LOCAL, [name]), times, strict=True):
        meanings = _meanings(local, zone)
        if len(meanings) == 1:
            assert (fault, datetime.fromisoformat(str(utc))) == (None, meanings.pop()), local
        else:
            assert fault == ("ambiguous_time" if meanings else "skipped_time"), local


MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))


@FEW
@given(st.lists(st.tuples(MOMENTS, st.integers(-15 * 60, 15 * 60), st.sampled_from("T ")), min_size=1, max_size=BATCH))
def test_a_time_with_its_offset_is_that_moment(staging: Staging, values: list[tuple[datetime, int, str]]) -> None:
    rows = []
    for moment, minutes, between in values:
        sign, size = "-" if minutes < 0 else "+", abs(minutes)
        rows.append([f"{moment.isoformat(between)}{sign}{size // 60:02}:{size % 60:02}"])
    found = _asked(staging, "epoch_us(time_instant(a))", rows)
    for (moment, minutes, _), micros in zip(values, found, strict=True):
        wanted = moment - timedelta(minutes=minutes)
        assert datetime(1970, 1, 1) + timedelta(microseconds=int(micros or 0)) == wanted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02 03:04:05"), ("2024-01-02 03:04:05.1234567+00", "2024-01-02 03:04:05.123456"),
        ("2024-01-02T03:04+0530", "2024-01-01 21:34:00"), ("2024-01-02 03:04:05 +01:00", "2024-01-02 02:04:05"),
        ("2024-01-02T03:04:05", None), ("2024-02-30T00:00:00Z", None), ("2024-01-02T25:00:00Z", None), ("today", None),
        ("2024-01-02T03:04:05-15:59", "2024-01-02 19:03:05"), ("2024-01-02T03:04:05+16:00", None),
        ("2024-01-02T03:04:05+25:00", None), ("2024-01-02T03:04:05+05:75", None), ("2024-01-02T03:04:05+0575", None),
        ("2024-01-02T03:04:05+1", None), ("infinity", None), ("2024-01-02", None), (" 2024-01-02T03:04:05Z", None),
    ],
)  # fmt: skip
def test_only_a_whole_time_with_its_offset_is_an_instant(staging: Staging, text: str, value: str | None) -> None:
    assert _asked(staging, "time_instant(a)", [[text]]) == [value]


@FEW
@given(st.lists(st.tuples(MOMENTS, MOMENTS), min_size=1, max_size=BATCH))
def test_seconds_between_are_whole_and_floored_also_backwards(
    staging: Staging, values: list[tuple[datetime, datetime]]
) -> None:
    rows = [[str(a), str(b)] for a, b in values]
    found = _asked(staging, "num_text(whole_seconds(a::timestamp, b::timestamp))", rows)
    assert [int(text or 0) for text in found] == [(b - a) // timedelta(seconds=1) for a, b in values]


def test_a_day_of_a_zone_begins_and_ends_by_its_own_clock(staging: Staging) -> None:
    found = staging.rows(
        "select day_begins(d, z)::varchar, day_ends(d, z)::varchar, next_day_begins(d, z)::varchar"
        " from (values (date '2024-03-31', 'Europe/London'), (date '2024-10-27', 'Europe/London'),"
        " (date '2024-06-01', 'Asia/Kathmandu')) as v(d, z)"
    )
    assert found == [
        ("2024-03-31 00:00:00", "2024-03-31 22:59:59", "2024-03-31 23:00:00"),
        ("2024-10-26 23:00:00", "2024-10-27 23:59:59", "2024-10-28 00:00:00"),
        ("2024-05-31 18:15:00", "2024-06-01 18:14:59", "2024-06-01 18:15:00"),
    ]


# -- JSON ----------------------------------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["a", "b", "", "é", 'q"', "a\\", "NaN"])
_DOCUMENTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=6,
)
_ODD = ("", " ", "{", "}", "[1,]", "{,}", "NaN", "[NaN]", "Infinity", '["-Infinity"]', "[-Infinity]", "nul", "nulla", "null", "True",
        "'a'", '"a', '"\\x"', '"\\u12"', "[1 2]", '{"a":1,}', '{"a"}', "01", "-", "-01", "1.", ".5", "1e5", "+1", "[] []", "// c\n1",
        '"tab\there"', '"line\nbreak"', "\ufeff1", '{"a": nan}', '{"nan": 1}', '["NaN"]', "[nan]", "inf", "1e999", '"\\ud83d\\ude00"',
        '"\\ud83d"', '"\\ude00x"', '{"a":1}x', "[1]]", '{"a" : [ {"b":null} ] }', "\x0b1", "\xa01", "[infinity]", "tru", "-1.5E-7")  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.one_of(_DOCUMENTS.map(json.dumps), st.text(alphabet='{}[]",:0123eE-+.truefalsnNI \\', max_size=10)),
        min_size=1,
        max_size=40,
    )
)
def test_what_is_json_is_what_postgresql_reads(staging: Staging, postgres_dsn: str, texts: list[str]) -> None:
    every = [text for text in [*texts, *_ODD] if "\0" not in text]
    found = _asked(staging, "is_json(a)", [[text] for text in every])
    with connect(postgres_dsn, what="the test") as connection:
        query = "select pg_input_is_valid(x, 'jsonb') from unnest(%s::text[]) with ordinality as t(x, n) order by n"
        valid = [is_valid for (is_valid,) in connection.execute(query, [every]).fetchall()]
    for text, verdict, is_valid in zip(every, found, valid, strict=True):
        # A NUL is not allowed in jsonb, and has a check of its own.
        assert verdict == str(is_valid).lower() or "\\u0000" in text, text


@pytest.fixture(scope="module")
def postgres_dsn(postgres_server: embedded.Server) -> str:
    return postgres_server.dsn("postgres")


@FEW
@given(st.lists(_DOCUMENTS.map(json.dumps), min_size=1, max_size=BATCH))
def test_a_document_that_names_nothing_twice_is_found_clean(staging: Staging, texts: list[str]) -> None:
    assert set(_asked(staging, "json_repeats_name(a)", [[text] for text in texts])) == {"false"}


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        ('{"a":1,"a":1}', "true"), ('[{"b":{"a":1,"a":2}}]', "true"), ('{"a":{"a":1}}', "false"), ('{"a":1,"A":1}', "false"),
        ('{"a":1,"\\u0061":1}', "true"), ("[1,1]", "false"), ("no json", "false"), ('{"a":[{"x":1},{"x":1}]}', "false"),
    ],
)  # fmt: skip
def test_a_name_twice_is_found_at_any_depth(staging: Staging, text: str, repeats: str) -> None:
    assert _asked(staging, "json_repeats_name(a)", [[text]]) == [repeats]


@FEW
@given(
    st.lists(
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), min_size=1, max_size=BATCH
    )
)
def test_a_text_as_json_reads_back_as_itself(staging: Staging, texts: list[str]) -> None:
    found = _asked(staging, "json_text(a)", [[text] for text in texts])
    assert [json.loads(text or "") for text in found] == texts


@pytest.mark.parametrize(
    ("text", "folded", "symbol"),
    [
        (" Buy ", "BUY", "BUY"), ("\tFILLED\r\n", "FILLED", "FILLED"), ("BTC/USDT", "BTC/USDT", "BTCUSDT"),
        ("btc-usdt", "BTC-USDT", "BTCUSDT"), (" eth_usdt ", "ETH_USDT", "ETHUSDT"), ("BTC/USDT:USDT", "BTC/USDT:USDT", "BTCUSDT:USDT"),
        ("", "", ""), (" ", "", ""), ("äö ", "ÄÖ", "ÄÖ"), ("a b", "A B", "A B"), (None, None, None),
    ],
)  # fmt: skip
def test_enumerations_and_symbols_lose_blanks_around_and_case(
    staging: Staging, text: str | None, folded: str | None, symbol: str | None
) -> None:
    assert _asked(staging, "folded(a)", [[text]]) == [folded]
    assert _asked(staging, "unified_symbol(a)", [[text]]) == [symbol]
